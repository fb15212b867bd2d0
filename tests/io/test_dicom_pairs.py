"""Which segmentation belongs to which series, and a folder of both as a set to train on."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_files import MAKER, segment, write_ct, write_dx
from medsegr.data import read_drawn, read_set
from medsegr.errors import InputError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_pairs import pairs
from medsegr.io.dicom_rt import make_rt
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.read import read_image
from medsegr.samples.drawn import read_marks
from medsegr.samples.layouts import Hints, rows_of
from medsegr.types import Code

SHAPE = (6, 40, 32)
LESION = Code("SCT", "52988006", "Lesion")
KINDS = {"ROI-1": Code("SCT", "10200004", "Liver"), "ROI-77": Code("99X", "1", "Thingummy")}


def affine(shift: float = 0.0) -> np.ndarray:
    out = np.diag([3.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]
    out[0, 3] = shift
    return out


def box(shape: tuple[int, ...], at: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[..., at : at + 12, 8:20] = True
    return mask


def drawn(folder: Path, masks: dict[str, np.ndarray], out: Path) -> Path:
    """A SEG of the series or picture at ``folder``, a segment a name."""
    image = read_image(folder)
    made = [
        segment(n, mask, name=name, kind=KINDS.get(name, LESION), site=None, side=None)
        for n, (name, mask) in enumerate(masks.items(), 1)
    ]
    save_object(make_seg(image, made, sources_of(image), MAKER), out)
    return out


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two series of one patient in one folder, segmentations elsewhere, and a chest film with its own."""
    root = tmp_path_factory.mktemp("archive")
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 200, SHAPE).astype(np.int16)
    write_ct(root / "p1" / "scans" / "a", volume, affine())
    write_ct(root / "p1" / "scans" / "b", volume[:4] + 5, affine(7))
    (root / "p1" / "drawn").mkdir()
    drawn(
        root / "p1" / "scans" / "a",
        {"ROI-1": box(SHAPE, 4), "spleen": box(SHAPE, 20)},
        root / "p1" / "drawn" / "1",
    )
    drawn(root / "p1" / "scans" / "b", {"liver": box((4, *SHAPE[1:]), 10)}, root / "p1" / "drawn" / "2")
    (root / "p2").mkdir()
    write_dx(root / "p2" / "film", rng.integers(0, 4000, (40, 32)).astype(np.uint16))
    drawn(root / "p2" / "film", {"left lung": box((40, 32), 3)}, root / "p2" / "mask")
    for path in (root / "p2").iterdir():
        ds = pydicom.dcmread(path)
        ds.PatientID = "another"
        ds.save_as(path)
    return root


def test_each_segmentation_finds_its_series(archive: Path) -> None:
    found = {pair.masks.relative_to(archive).as_posix(): pair for pair in pairs(archive)}
    assert set(found) == {"p1/drawn/1", "p1/drawn/2", "p2/mask"}
    assert found["p1/drawn/1"].image == archive / "p1" / "scans" / "a"
    assert found["p1/drawn/2"].image == archive / "p1" / "scans" / "b"
    assert found["p2/mask"].image == archive / "p2" / "film"
    assert [info.name for info in found["p1/drawn/1"].infos] == ["ROI-1", "spleen"]


def test_series_that_share_a_folder_are_told_apart(archive: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(p for p in (archive / "p1").rglob("*") if p.is_file())):
        (flat / f"{number:03}").write_bytes(path.read_bytes())
    cases = {case.id: case for case in read_set(flat)}
    rows = rows_of(flat)
    assert len(rows) == 2
    assert {row["image"] for mine in rows.values() for row in mine} == {"."}
    assert len({row["series"] for mine in rows.values() for row in mine}) == 2
    assert {name.partition("@")[0] for name in cases} == {"flat/case-0001", "flat/case-0002"}


def test_a_segmentation_that_names_pictures_alone_finds_their_series(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(archive / "p1" / "scans", folder / "scans")
    picture = pydicom.dcmread(next((folder / "scans" / "b").iterdir()))
    ds = pydicom.dcmread(archive / "p1" / "drawn" / "2")
    del ds.ReferencedSeriesSequence
    source = pydicom.Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = (
        picture.SOPClassUID,
        picture.SOPInstanceUID,
    )
    ds.SourceImageSequence = [source]
    ds.save_as(folder / "mask")
    (pair,) = pairs(folder)
    assert (pair.image, pair.series) == (folder / "scans" / "b", picture.SeriesInstanceUID)


def test_rows_name_targets_by_label_or_code_and_people_nowhere(archive: Path) -> None:
    rows = [row for mine in rows_of(archive).values() for row in mine]
    assert [row["target"] for row in rows] == ["liver", "spleen", "liver", "left lung"]
    assert [row["modality"] for row in rows] == ["CT", "CT", "CT", "CR"]
    assert len({row["group"] for row in rows}) == 2  # by patient: both series of the first stay together
    everything = " ".join(value for row in rows for key, value in row.items() if key != "series")
    for path in (archive / "p1" / "drawn" / "1", archive / "p2" / "mask"):
        ds = pydicom.dcmread(path)
        assert str(ds.PatientID) not in everything.replace("p2", "")
        assert str(ds.PatientName) not in everything


def test_masks_lie_where_they_were_drawn(archive: Path) -> None:
    found = [
        (finding.name, image.grid, marks.mask)
        for name in ("p1", "p2")
        for _, image, mine in read_drawn(archive / name)
        for finding, marks in mine
    ]
    expected = {
        ("liver", SHAPE): box(SHAPE, 4),
        ("spleen", SHAPE): box(SHAPE, 20),
        ("liver", (4, 40, 32)): box((4, 40, 32), 10),
        ("lung", (40, 32)): box((40, 32), 3),
    }
    assert {name for name, _, _ in found} >= {"liver", "lung"}
    assert all(np.array_equal(mask, expected[name, grid]) for name, grid, mask in found)


def test_a_label_that_nobody_knows_takes_the_name_that_was_given(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "film").write_bytes((archive / "p2" / "film").read_bytes())
    drawn(folder / "film", {"ROI-77": box((40, 32), 3)}, folder / "seg")
    assert next(iter(rows_of(folder, Hints("breast tumour")).values()))[0]["target"] == "breast tumour"
    with pytest.raises(InputError, match="not in the lexicon"):
        read_set(folder)


def test_a_segmentation_without_its_series_is_one_line(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").write_bytes((archive / "p2" / "mask").read_bytes())
    with pytest.raises(InputError, match="1 of 1: the series that it names is not in the folder"):
        rows_of(tmp_path)


def test_a_table_may_name_segments_of_a_dicom_seg(archive: Path) -> None:
    image = read_image(archive / "p1" / "scans" / "a")
    row = {"id": "x", "mask": "p1/drawn/1"}
    one, both = (marks.mask for marks in read_marks(archive, [row | {"label": "2"}, row], image))
    assert np.array_equal(one, box(SHAPE, 20))
    assert np.array_equal(both, box(SHAPE, 4) | box(SHAPE, 20))
    with pytest.raises(InputError, match=r"row x: the DICOM object has no segment or ROI 7; it has \[1, 2\]"):
        read_marks(archive, [row | {"label": "7"}], image)
    with pytest.raises(InputError, match="row x: ignore came with a DICOM object"):
        read_marks(archive, [row | {"label": "2", "ignore": "1"}], image)


@pytest.fixture(scope="module")
def structured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series and the structure set of it in one folder, as archives give them."""
    root = tmp_path_factory.mktemp("structured")
    write_ct(root / "ct", np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.int16), affine())
    image = read_image(root / "ct")
    found = [
        segment(1, box(SHAPE, 4), name="Liver", site=None, side=None),
        segment(2, box(SHAPE, 20), name="Spleen, whole", site=None, side=None),
    ]
    save_object(make_rt(image, found, sources_of(image), MAKER), root / "ct" / "rt.dcm")
    return root


def test_a_structure_set_finds_its_series(structured: Path) -> None:
    (pair,) = pairs(structured)
    assert (pair.masks.name, pair.modality) == ("rt.dcm", "CT")
    assert [info.name for info in pair.infos] == ["Liver", "Spleen, whole"]
    ((_, rows),) = rows_of(structured).items()
    assert [(row["target"], row["label"], row["group"] != "") for row in rows] == [
        ("liver", "1", True),
        ("spleen, whole", "2", True),
    ]
    image = read_image(structured / rows[0]["image"])
    assert image.grid == SHAPE
    np.testing.assert_array_equal(read_marks(structured, rows, image)[1].mask, box(SHAPE, 20))


def test_a_table_may_name_rois_by_name_or_number(structured: Path) -> None:
    image, row = read_image(structured / "ct"), {"id": "x", "mask": "ct/rt.dcm"}
    both = box(SHAPE, 4) | box(SHAPE, 20)
    for label, wanted in (
        ("Liver", box(SHAPE, 4)),
        ("spleen, WHOLE", box(SHAPE, 20)),
        ("2", box(SHAPE, 20)),
        ("liver,2", both),
        ("", both),
    ):
        (marks,) = read_marks(structured, [row | {"label": label}], image)
        np.testing.assert_array_equal(marks.mask, wanted)
    with pytest.raises(
        InputError, match=r"row x: the DICOM object has no segment or ROI kidney; it has \[1, 2\]"
    ):
        read_marks(structured, [row | {"label": "kidney"}], image)


def test_of_a_structure_set_only_what_is_asked_for_matters(
    structured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A couch beyond the series and isocentres are no reason to refuse the liver, nor to speak of them."""
    said: list[str] = []
    monkeypatch.setattr("medsegr.samples.drawn.LOG.warning", lambda text, *words: said.append(text % words))
    image = read_image(structured / "ct")
    ds = pydicom.dcmread(structured / "ct" / "rt.dcm")
    couch = ds.ROIContourSequence[1].ContourSequence[0]
    couch.ContourData = [float(v) + 900 * (n % 3 == 2) for n, v in enumerate(couch.ContourData)]
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    ds.save_as(tmp_path / "rt.dcm")
    row = {"id": "x", "mask": "rt.dcm", "label": "liver"}
    (marks,) = read_marks(tmp_path, [row], image)
    np.testing.assert_array_equal(marks.mask, box(SHAPE, 4))
    with pytest.raises(InputError, match=r"row x: .*another frame of reference"):
        read_marks(tmp_path, [row | {"label": ""}], image)
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = ds.FrameOfReferenceUID
    ds.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    ds.save_as(tmp_path / "rt.dcm")
    with pytest.raises(InputError, match=r"row x: .*a plane that the image does not have"):
        read_marks(tmp_path, [row, row | {"label": "2"}], image)
    assert said == []
    read_marks(tmp_path, [row], image)
    assert said == ["row x: outlines_open: ROI 1: points and open lines enclose nothing and were left out"]
