"""A .seg.nrrd opens in Slicer as a segmentation: its convention, read by pynrrd and by ITK."""

import tempfile
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from dicom_files import segment
from medsegr.errors import InputError
from medsegr.io.nrrd_seg import write_seg_nrrd
from medsegr.io.read import image_from_array
from medsegr.types import Code
from placed import TILT, affine_of, centre_mm, itk_centre_mm


def volume() -> Any:
    affine = np.array([[0, 0, -1.1, 10], [0, -0.8, 0, 20], [2.5, 0, 0, -30], [0, 0, 0, 1]], float)
    return image_from_array(np.arange(5 * 6 * 7.0).reshape(5, 6, 7), affine=affine, modality="CT")


def masks() -> tuple[np.ndarray, np.ndarray]:
    first, second = np.zeros((2, 5, 6, 7), bool)
    first[1:4, 2:5, 1:6] = True
    second[4, 5, 0:3] = True
    return first, second


def test_masks_that_do_not_overlap_share_one_layer(tmp_path: Path) -> None:
    image, (first, second) = volume(), masks()
    found = [segment(1, first), segment(2, second, site=None, side=None, name="second\nthing")]
    write_seg_nrrd(image, found, tmp_path / "a.seg.nrrd")
    data, header = nrrd.read(str(tmp_path / "a.seg.nrrd"))
    np.testing.assert_array_equal(data == 1, first)
    np.testing.assert_array_equal(data == 2, second)
    assert header["space"] == "left-posterior-superior"
    assert [str(kind) for kind in header["kinds"]] == ["domain"] * 3
    told = {key: value for key, value in header.items() if key.startswith("Segment")}
    assert (told["Segment0_ID"], told["Segment0_Name"]) == ("f1", "thing 1")
    assert told["Segment1_Name"] == "second thing"
    assert told["Segment0_Extent"] == "1 3 2 4 1 5"
    assert (told["Segment1_LabelValue"], told["Segment1_Layer"]) == ("2", "0")
    assert told["Segment0_Color"] == "0.337255 0.705882 0.913725"
    assert told["Segmentation_MasterRepresentation"] == "Binary labelmap"
    entry = (
        "TerminologyEntry:Segmentation category and type - DICOM master list"
        "~SCT^49755003^Morphologically Abnormal Structure~SCT^52988006^Lesion~^^"
        "~Anatomic codes - DICOM master list~SCT^39607008^Lung~SCT^7771000^Left|"
    )
    assert entry in told["Segment0_Tags"]
    assert "~^^~Anatomic codes - DICOM master list~^^~^^|" in told["Segment1_Tags"]


def test_masks_that_overlap_lie_in_layers(tmp_path: Path) -> None:
    image, (first, _) = volume(), masks()
    inside = first.copy()
    inside[2:] = False
    write_seg_nrrd(image, [segment(1, first), segment(2, inside)], tmp_path / "a.seg.nrrd")
    data, header = nrrd.read(str(tmp_path / "a.seg.nrrd"))
    assert data.shape == (2, 5, 6, 7)
    assert [str(kind) for kind in header["kinds"]] == ["list", "domain", "domain", "domain"]
    layers = [int(header[f"Segment{n}_Layer"]) for n in (0, 1)]
    labels = [int(header[f"Segment{n}_LabelValue"]) for n in (0, 1)]
    np.testing.assert_array_equal(data[layers[0]] == labels[0], first)
    np.testing.assert_array_equal(data[layers[1]] == labels[1], inside)


@pytest.mark.parametrize("spacing", [None, (0.5, 0.25)])
def test_a_picture_lies_on_the_picture_as_slicer_loads_it(spacing: Any, tmp_path: Path) -> None:
    image = image_from_array(np.arange(6 * 9.0).reshape(6, 9), spacing=spacing, modality="CR")
    mask = np.zeros((6, 9), bool)
    mask[1, 7] = True
    write_seg_nrrd(image, [segment(1, mask)], tmp_path / "a.seg.nrrd")
    data, header = nrrd.read(str(tmp_path / "a.seg.nrrd"))
    assert data.shape == (9, 6, 1)  # column, row, slice
    assert data[7, 1, 0] == 1
    steps = (1, 1) if spacing is None else (spacing[1], spacing[0])
    np.testing.assert_allclose(np.diag(header["space directions"]), (*steps, 1))


def test_the_same_masks_give_the_same_bytes(tmp_path: Path) -> None:
    image, (first, second) = volume(), masks()
    for name in "ab":
        write_seg_nrrd(image, [segment(1, first), segment(2, second)], tmp_path / f"{name}.seg.nrrd")
    data = (tmp_path / "a.seg.nrrd").read_bytes()
    assert data == (tmp_path / "b.seg.nrrd").read_bytes()
    assert not [line for line in data.split(b"\n\n")[0].split(b"\n") if line.startswith(b"#")]


def test_every_orientation_keeps_its_place(orientation: np.ndarray, tmp_path: Path) -> None:
    affine = affine_of(TILT @ orientation)
    image = image_from_array(np.arange(5 * 6 * 7.0).reshape(5, 6, 7), affine=affine, modality="CT")
    mask = masks()[0]
    mask[0, 0, 0] = True
    write_seg_nrrd(image, [segment(1, mask)], tmp_path / "a.seg.nrrd")
    found = itk_centre_mm(sitk.ReadImage(str(tmp_path / "a.seg.nrrd")))
    np.testing.assert_allclose(found, centre_mm(mask, affine), atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_voxels_come_back_bit_for_bit(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [rng.random((5, 6, 7)) > rng.uniform(0.2, 0.95) for _ in range(count)]
    found = [segment(n, mask) for n, mask in enumerate(drawn, 1) if mask.any()]
    with tempfile.TemporaryDirectory() as name:
        write_seg_nrrd(volume(), found, Path(name) / "a.seg.nrrd")
        data, header = nrrd.read(str(Path(name) / "a.seg.nrrd"))
    stack = data if data.ndim == 4 else data[None]
    for n, item in enumerate(found):
        layer, label = int(header[f"Segment{n}_Layer"]), int(header[f"Segment{n}_LabelValue"])
        np.testing.assert_array_equal(stack[layer] == label, item.mask)


def test_nothing_drawn_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no mask"):
        write_seg_nrrd(volume(), [segment(1, np.zeros((5, 6, 7), bool))], tmp_path / "a.seg.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_codes_with_a_caret_or_tilde_do_not_break_the_entry(tmp_path: Path) -> None:
    odd = Code("99MEDSEGR", "a~b", "c^d|e")
    write_seg_nrrd(volume(), [segment(1, masks()[0], kind=odd)], tmp_path / "a.seg.nrrd")
    _, header = nrrd.read(str(tmp_path / "a.seg.nrrd"))
    entry = header["Segment0_Tags"].split("TerminologyEntry:")[1].rstrip("|")
    assert (entry.count("~"), "|" in entry) == (6, False)


def test_slicer_s_own_reader_finds_names_codes_and_layers(tmp_path: Path) -> None:
    slicerio = pytest.importorskip("slicerio", reason="slicerio is not installed")
    image, (first, second) = volume(), masks()
    inside = first.copy()
    inside[2:] = False
    found = [segment(1, first), segment(2, inside), segment(3, second)]
    write_seg_nrrd(image, found, tmp_path / "a.seg.nrrd")
    read = slicerio.read_segmentation(str(tmp_path / "a.seg.nrrd"))
    assert [item["name"] for item in read["segments"]] == ["thing 1", "thing 2", "thing 3"]
    for item, mask in zip(read["segments"], (first, inside, second), strict=True):
        np.testing.assert_array_equal(read["voxels"][item["layer"]] == item["labelValue"], mask)
        assert item["terminology"]["type"] == ["SCT", "52988006", "Lesion"]
        assert item["terminology"]["anatomicRegionModifier"] == ["SCT", "7771000", "Left"]
    lps = np.diag([-1, -1, 1, 1]) @ image.affine
    np.testing.assert_allclose(read["ijkToLPS"], lps)
