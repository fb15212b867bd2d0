"""DICOM SEG in: ours, highdicom's and dcmqi's, frames in any order, on the image's grid or on its own."""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import compress
from pydicom.uid import RLELossless, generate_uid

from dicom_files import MAKER, segment, write_ct, write_dx
from medsegr.errors import GeometryError, InputError, MedsegrError, UsageError
from medsegr.io.dicom_masks import holds_masks, read_masks
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.limits import Limits
from medsegr.io.read import image_from_array, read_image
from medsegr.types import Image
from placed import TILT, affine_of

SHAPE = (5, 9, 7)  # 63 pixels a frame: frames of single bits do not begin at whole bytes
VALUES = np.arange(np.prod(SHAPE)).reshape(SHAPE)


def series(folder: Path, directions: np.ndarray = TILT, values: np.ndarray = VALUES) -> Image:
    return read_image(write_ct(folder, values, affine_of(directions)))


def written(image: Image, masks: Any, path: Path, kind: str = "binary") -> Path:
    probs = [np.where(mask, 0.8, 0.3).astype(np.float32) for mask in masks]
    found = [segment(n, m, prob=p) for n, (m, p) in enumerate(zip(masks, probs, strict=True), 1)]
    save_object(make_seg(image, found, sources_of(image), MAKER, kind), path)
    return path


def shuffled(path: Path, seed: int) -> Path:
    """The same object with its frames in another order."""
    ds = pydicom.dcmread(path)
    order = np.random.default_rng(seed).permutation(int(ds.NumberOfFrames))
    frames = np.atleast_3d(ds.pixel_array).reshape(-1, ds.Rows, ds.Columns)[order]
    if ds.BitsAllocated == 1:
        data = np.packbits(frames.ravel(), bitorder="little").tobytes()
        ds.PixelData = data + b"\0" * (len(data) % 2)
    else:
        ds.PixelData = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    groups = list(ds.PerFrameFunctionalGroupsSequence)
    ds.PerFrameFunctionalGroupsSequence = [groups[i] for i in order]
    ds.save_as(path)
    return path


def some_masks(seed: int, count: int, how: str, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    masks = rng.random((count, *SHAPE)) > {"sparse": 0.98, "dense": 0.3, "some slices": 0.5}[how]
    if how == "some slices":
        masks[:, rng.random(SHAPE[0]) < 0.6] = False
    for n in range(count):
        masks[n, n % SHAPE[0], 1, n] = True  # none is empty
    if kind == "labelmap":
        labels = np.zeros(SHAPE, int)
        for n in range(count):
            labels[masks[n]] = n + 1
        for n in range(count):
            labels[n % SHAPE[0], 1, n] = n + 1
        masks = np.stack([labels == n + 1 for n in range(count)])
    return masks


@settings(max_examples=15)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.sampled_from(["sparse", "dense", "some slices"]),
    st.sampled_from(["binary", "labelmap", "fractional"]),
)
def test_what_was_written_is_read(seed: int, count: int, how: str, kind: str) -> None:
    """Same voxels, names, ids and codes; frames in any order, slices that are not there, an oblique grid."""
    masks = some_masks(seed, count, how, kind)
    with tempfile.TemporaryDirectory() as name:
        image = series(Path(name) / "ct")
        path = shuffled(written(image, masks, Path(name) / "seg.dcm", kind), seed)
        found, own = read_masks(path, image), read_masks(path)
    assert [info.number for info in found.infos] == list(range(1, count + 1))
    assert found.image is image
    for info, mask in zip(found.infos, masks, strict=True):
        np.testing.assert_array_equal(found.mask(info.number), mask)
        assert (info.id, info.name) == (f"f{info.number}", f"thing {info.number}")
        assert (info.uid, info.kind, info.site, info.side) == (
            f"2.25.{4000 + info.number}",
            *(getattr(segment(1, None), part) for part in ("kind", "site", "side")),
        )
    held = np.flatnonzero(masks.any(axis=(0, 2, 3)) if kind != "fractional" else np.ones(SHAPE[0], bool))
    step = np.diff(held).min() if own.image.grid[0] > 1 and len(held) > 1 else 1
    for info, mask in zip(own.infos, masks, strict=True):  # without the image: the smallest grid of its own
        kept = mask[held[0] : held[-1] + 1 : step]
        assert own.mask(info.number).sum() == mask.sum()
        if own.image.grid[0] == len(kept):
            np.testing.assert_array_equal(own.mask(info.number), kept)


def test_every_orientation_of_the_image(orientation: np.ndarray, tmp_path: Path) -> None:
    """A NIfTI made from the series has other axes, in another order; the SEG of the series fits it."""
    image = series(tmp_path / "ct")
    mask = some_masks(1, 1, "dense", "binary")[0]
    path = written(image, [mask], tmp_path / "seg.dcm")
    turn = np.eye(4)
    turn[:3, :3] = orientation
    assert image.affine is not None
    other = nib.Nifti1Image(image.data[0], image.affine).as_reoriented(nib.orientations.io_orientation(turn))
    moved = nib.Nifti1Image(mask.astype(np.uint8), image.affine).as_reoriented(
        nib.orientations.io_orientation(turn)
    )
    grid = image_from_array(np.asarray(other.dataobj), affine=other.affine, modality="CT")
    np.testing.assert_array_equal(read_masks(path, grid).mask(1), np.asarray(moved.dataobj) > 0)


def test_a_seg_of_dcmqi(tmp_path: Path) -> None:
    """Another writer: its frames, order and codes, with references to the series or without."""
    tool = Path(sys.executable).parent / "itkimage2segimage"
    if not tool.exists():
        pytest.skip("itkimage2segimage is not here: install dcmqi")
    image = series(tmp_path / "ct", np.array([[0, 0, -1.0], [0, -1.0, 0], [1.0, 0, 0]]))
    assert image.affine is not None
    masks = some_masks(3, 2, "some slices", "labelmap")
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    names = []
    for n, mask in enumerate(masks, 1):
        picture = sitk.GetImageFromArray(mask.astype(np.uint8))
        steps = np.linalg.norm(lps[:3, :3], axis=0)
        picture.SetSpacing([float(v) for v in steps[::-1]])
        picture.SetOrigin([float(v) for v in lps[:3, 3]])
        picture.SetDirection([float(v) for v in (lps[:3, :3] / steps)[:, ::-1].ravel()])
        names.append(str(tmp_path / f"{n}.nrrd"))
        sitk.WriteImage(picture, names[-1])
    code = {"CodeValue": "52988006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Lesion"}
    about = [
        [
            {
                "labelID": 1,
                "SegmentLabel": f"their {n}",
                "SegmentAlgorithmType": "MANUAL",
                "SegmentedPropertyCategoryCodeSequence": code,
                "SegmentedPropertyTypeCodeSequence": code,
            }
        ]
        for n in (1, 2)
    ]
    told = {"ContentCreatorName": "a", "SeriesDescription": "b", "SeriesNumber": "7", "InstanceNumber": "1"}
    (tmp_path / "meta.json").write_text(json.dumps({**told, "segmentAttributes": about}))
    words = ["--inputDICOMDirectory", tmp_path / "ct", "--inputMetadata", tmp_path / "meta.json"]
    words += ["--inputImageList", ",".join(names), "--outputDICOM", tmp_path / "seg.dcm", "--skip"]
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    found = read_masks(tmp_path / "seg.dcm", image)
    assert [info.name for info in found.infos] == ["their 1", "their 2"]
    for n, mask in enumerate(masks, 1):
        np.testing.assert_array_equal(found.mask(n), mask)


def test_fractions_by_a_threshold(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    mask = VALUES > 100
    path = written(image, [mask], tmp_path / "seg.dcm", "fractional")  # 0.8 inside, 0.3 elsewhere
    np.testing.assert_array_equal(read_masks(path, image, threshold=0.81).mask(1), np.zeros(SHAPE, bool))
    np.testing.assert_array_equal(read_masks(path, image, threshold=0.5).mask(1), mask)
    np.testing.assert_array_equal(read_masks(path, image, threshold=0.2).mask(1), np.ones(SHAPE, bool))
    with pytest.raises(UsageError, match="--threshold"):
        read_masks(path, image, threshold=0)


@pytest.mark.parametrize("kind", ["labelmap", "fractional"])
def test_compressed_frames(kind: str, tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    masks = some_masks(5, 2, "dense", "labelmap")
    path = written(image, masks, tmp_path / "seg.dcm", kind)
    ds = pydicom.dcmread(path)
    compress(ds, RLELossless)
    ds.save_as(path)
    for n, mask in enumerate(masks, 1):
        np.testing.assert_array_equal(read_masks(path, image).mask(n), mask)


def test_masks_of_a_projection_go_by_the_picture_that_they_name(tmp_path: Path) -> None:
    image = read_image(write_dx(tmp_path / "dx.dcm", np.arange(80 * 60).reshape(80, 60) % 255))
    mask = image.data[0] > 90
    path = written(image, [mask, ~mask], tmp_path / "seg.dcm")
    plain = image_from_array(image.data[0], modality="CR")  # as a PNG: only its size tells
    for grid in (image, plain, None):
        found = read_masks(path, grid)
        np.testing.assert_array_equal(found.mask(1), mask)
        np.testing.assert_array_equal(found.mask(2), ~mask)
    other = read_image(write_dx(tmp_path / "other.dcm", np.zeros((80, 60)) + np.arange(60)))
    with pytest.raises(InputError, match="drawn on another image"):
        read_masks(path, other)
    with pytest.raises(GeometryError, match="80 x 60"):
        read_masks(path, image_from_array(np.zeros((80, 61)), modality="CR"))


def test_one_slice(tmp_path: Path) -> None:
    folder = write_ct(tmp_path / "ct", VALUES[:1], affine_of(TILT))
    image = read_image(next(folder.iterdir()))
    path = written(image, [image.data[0] > 30], tmp_path / "seg.dcm")
    np.testing.assert_array_equal(read_masks(path, image).mask(1), image.data[0] > 30)
    assert read_masks(path).image.grid == (1, *SHAPE[1:])


def test_another_place_is_refused(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    assert image.affine is not None
    path = written(image, [VALUES > 100], tmp_path / "seg.dcm")
    other = series(tmp_path / "other")
    with pytest.raises(InputError, match="another frame of reference"):
        read_masks(path, other)
    for file in (tmp_path / "ct").iterdir():  # an image that tells no frame of reference is no other one
        ds = pydicom.dcmread(file)
        ds.FrameOfReferenceUID = ""
        ds.save_as(file)
    untold = read_masks(path, read_image(tmp_path / "ct"))
    np.testing.assert_array_equal(untold.mask(1), VALUES > 100)
    beside = image.affine.copy()
    beside[:3, 3] += 0.4 * beside[:3, 1]
    with pytest.raises(GeometryError, match=r"up to 0\.4 voxels beside"):
        read_masks(path, image_from_array(image.data[0], affine=beside, modality="CT"))
    with pytest.raises(GeometryError, match="outside of the image"):
        read_masks(path, image_from_array(image.data[0][:3], affine=image.affine, modality="CT"))
    within = replace(image, data=np.pad(image.data, ((0, 0), (0, 2), (0, 1), (0, 0))))
    assert read_masks(path, within).mask(1).sum() == (VALUES > 100).sum()


def test_segments_without_frames_and_slices_far_apart(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    mask = np.zeros(SHAPE, bool)
    mask[0, 1:3] = mask[3, 4:6] = mask[4, 2] = True
    path = written(image, [mask, mask], tmp_path / "seg.dcm")
    ds = pydicom.dcmread(path)
    groups = ds.PerFrameFunctionalGroupsSequence
    owner = [group.SegmentIdentificationSequence[0].ReferencedSegmentNumber for group in groups]
    keep = [index for index, number in enumerate(owner) if number == 1]
    frames = ds.pixel_array[keep]
    ds.PerFrameFunctionalGroupsSequence = [groups[i] for i in keep]
    ds.NumberOfFrames = len(keep)
    ds.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    ds.save_as(path)
    found = read_masks(path)
    assert found.image.grid == SHAPE
    np.testing.assert_array_equal(found.mask(1), mask)
    assert not found.mask(2).any()  # described, and nowhere


def broken(path: Path, change: Any) -> Path:
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)
    return path


def test_damaged_and_foreign_objects_are_refused_in_one_line(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")

    def other_segment(ds: Any) -> None:
        ds.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9

    def unknown_label(ds: Any) -> None:
        ds.PixelData = b"\x07" + ds.PixelData[1:]

    def half_placed(ds: Any) -> None:
        del ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence

    cases = [
        ("binary", other_segment, "no described segment"),
        ("labelmap", unknown_label, "label 7"),
        ("binary", half_placed, "tell a place and others do not"),
        ("binary", lambda ds: setattr(ds, "SegmentationType", "MAGIC"), "BINARY, FRACTIONAL"),
        ("binary", lambda ds: setattr(ds, "NumberOfFrames", 900), "truncated"),
        ("binary", lambda ds: setattr(ds, "TotalPixelMatrixColumns", 900), "whole slide"),
    ]
    for kind, change, word in cases:
        path = broken(written(image, [VALUES > 100], tmp_path / "seg.dcm", kind), change)
        with pytest.raises(InputError, match=word) as caught:
            read_masks(path, image)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="another DICOM object"):
        read_masks(next((tmp_path / "ct").iterdir()))


def test_meshes_are_refused_with_advice(tmp_path: Path) -> None:
    path = write_dx(tmp_path / "a", np.zeros((4, 4)), SOPClassUID="1.2.840.10008.5.1.4.1.1.66.5")
    with pytest.raises(InputError, match=r"surface.*3D Slicer"):
        holds_masks(path)
    assert not holds_masks(write_dx(tmp_path / "dx", np.zeros((4, 4))))
    (tmp_path / "a.txt").write_text("no image")
    assert not holds_masks(tmp_path / "a.txt")
    assert not holds_masks(tmp_path)


def test_overlaps_cannot_fill_the_memory(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    path = written(image, [VALUES >= 0] * 3, tmp_path / "seg.dcm")
    size = 2 * int(np.prod(SHAPE))
    with pytest.raises(InputError, match="inflated_bytes"):
        read_masks(path, image, Limits(inflated_bytes=2 * size))


def test_highdicom_reads_the_same(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    masks = some_masks(8, 3, "dense", "binary")
    path = written(image, masks, tmp_path / "seg.dcm")
    volume = hd.seg.segread(path).get_volume(combine_segments=False)
    found = read_masks(path)
    assert found.image.affine is not None
    for n in (1, 2, 3):
        index = np.argwhere(volume.array[..., n - 1] > 0).mean(axis=0)
        theirs = (volume.affine @ np.append(index, 1.0))[:3] * (-1, -1, 1)
        own = (found.image.affine @ np.append(np.argwhere(found.mask(n)).mean(axis=0), 1.0))[:3]
        np.testing.assert_allclose(own, theirs, atol=1e-4)


def test_a_seg_that_names_slices_and_tells_no_place(tmp_path: Path) -> None:
    """Allowed where the source images tell it: then the names decide."""
    image = series(tmp_path / "ct")
    mask = some_masks(9, 1, "some slices", "binary")[0]
    path = written(image, [mask], tmp_path / "seg.dcm")

    def strip(ds: Any) -> None:
        del ds.FrameOfReferenceUID
        for group in ds.PerFrameFunctionalGroupsSequence:
            del group.PlanePositionSequence

    broken(shuffled(path, 4), strip)
    np.testing.assert_array_equal(read_masks(path, image).mask(1), mask)
    with pytest.raises(GeometryError, match="give these images"):
        read_masks(path)

    def rename(ds: Any) -> None:
        for group in ds.PerFrameFunctionalGroupsSequence:
            group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = generate_uid()

    with pytest.raises(InputError, match="another image"):
        read_masks(broken(path, rename), image)


def test_mutated_segs_end_in_masks_or_one_line(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    rng = np.random.default_rng(0)
    read, said = 0, []
    for kind in ("binary", "labelmap"):
        data = written(image, some_masks(6, 2, "dense", "labelmap"), tmp_path / "seg.dcm", kind).read_bytes()
        for _ in range(60):
            changed = bytearray(data)
            for at in rng.integers(132, len(data), rng.integers(1, 12)):
                changed[at] = rng.integers(256)
            end = rng.integers(200, len(data)) if rng.random() < 0.3 else len(data)
            (tmp_path / "m.dcm").write_bytes(bytes(changed[:end]))
            try:
                if holds_masks(tmp_path / "m.dcm"):
                    read_masks(tmp_path / "m.dcm", image if rng.random() < 0.5 else None)
                    read += 1
            except MedsegrError as error:
                said.append(str(error))
    assert read > 5
    assert said
    assert not [line for line in said if "\n" in line or str(tmp_path) in line]
