"""RT structure sets out: the masks come back bit by bit, the contours lie where the masks lay, the modules
are whole."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage
from skimage.draw import polygon2mask

from dicom_files import ID, LEFT, LESION, LUNG, MAKER, NAME, dciodvfy, segment, whole, write_ct, write_dx
from medsegr.errors import InputError, UsageError
from medsegr.io.choices import Choices
from medsegr.io.dicom_masks import read_masks
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_rt import make_rt
from medsegr.io.dicom_source import sources_of
from medsegr.io.read import read_image
from medsegr.io.segments import Segment
from medsegr.types import Code, Image
from placed import TILT, affine_of, centre_mm

SHAPE = (5, 9, 7)
VALUES = np.arange(np.prod(SHAPE)).reshape(SHAPE)
ORGAN = Code("SCT", "91723000", "Anatomical Structure")


def series(
    folder: Path, directions: np.ndarray = TILT, spacing: tuple[float, ...] = (2.5, 0.8, 1.1)
) -> Image:
    return read_image(write_ct(folder, VALUES, affine_of(directions, spacing)))


def write(image: Image, found: list[Segment], path: Path) -> Path:
    save_object(make_rt(image, found, sources_of(image), MAKER), path)
    return path


def contours(ds: Dataset, roi: int = 0) -> list[np.ndarray]:
    """Points ``n 3`` of the contours of an ROI, LPS+ mm."""
    items = ds.ROIContourSequence[roi].ContourSequence
    return [np.array(item.ContourData, float).reshape(-1, 3) for item in items]


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.sampled_from([0.02, 0.3, 0.6, 0.95]),
    st.sampled_from([(2.5, 0.8, 1.1), (0.004, 0.003, 0.011), (8.0, 3.0, 0.4)]),
)
def test_any_masks_come_back_bit_by_bit(
    seed: int, count: int, share: float, spacing: tuple[float, ...]
) -> None:
    """Overlaps, holes, single pixels, findings without a mask; an oblique grid, fine and coarse; with the
    images and without."""
    masks = np.random.default_rng(seed).random((count, *SHAPE)) < share
    found = [segment(n, mask) for n, mask in enumerate(masks, 1)]
    shown = [s for s in found if s.mask is not None and s.mask.any()]
    with tempfile.TemporaryDirectory() as name:
        image = series(Path(name) / "ct", spacing=spacing)
        found.insert(0, segment(9, None))  # denied: nothing was drawn
        if not shown:
            with pytest.raises(InputError, match="there is no mask to write"):
                write(image, found, Path(name) / "rt.dcm")
            return
        path = write(image, found, Path(name) / "rt.dcm")
        on_image, alone = read_masks(path, image), read_masks(path)
    assert [info.name for info in on_image.infos] == [s.name for s in shown]
    assert on_image.notes == alone.notes
    assert {code for code, _ in on_image.notes} <= {"outlines_apart"}
    for number, wanted in enumerate(shown, 1):
        np.testing.assert_array_equal(on_image.mask(number), wanted.mask)
        np.testing.assert_array_equal(alone.mask(number), wanted.mask)
    assert alone.image.affine is not None
    np.testing.assert_allclose(alone.image.affine, image.affine, atol=1e-5)


def test_contours_lie_where_the_mask_lay_in_every_orientation(
    orientation: np.ndarray, tmp_path: Path
) -> None:
    """Sagittal, coronal and turned acquisitions, by the centre in patient millimetres."""
    image = series(tmp_path / "ct", orientation)
    assert image.affine is not None
    mask = np.zeros(SHAPE, bool)
    mask[3, 1:4, 2:4] = True
    ds = pydicom.dcmread(write(image, [segment(1, mask)], tmp_path / "rt.dcm"))
    (points,) = contours(ds)
    expected = centre_mm(mask, image.affine) * (-1, -1, 1)
    np.testing.assert_allclose(points.mean(axis=0), expected, atol=1e-3)
    np.testing.assert_array_equal(read_masks(tmp_path / "rt.dcm", image).mask(1), mask)
    alone = read_masks(tmp_path / "rt.dcm")
    assert alone.image.affine is not None
    there = centre_mm(alone.mask(1), alone.image.affine) * (-1, -1, 1)
    np.testing.assert_allclose(there, expected, atol=1e-3)


def test_every_contour_lies_in_the_plane_of_the_image_that_it_names(tmp_path: Path) -> None:
    """Also of one that does not lie exactly on the grid; and another program that fills it there finds the
    mask."""
    series(tmp_path / "ct")
    for path in (tmp_path / "ct").iterdir():
        ds = pydicom.dcmread(path)
        if ds.pixel_array[0, 0] == VALUES[2, 0, 0]:
            turn = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
            ds.ImagePositionPatient = [*(np.array(ds.ImagePositionPatient, float) + 0.01 * np.cross(*turn))]
            ds.save_as(path)
    image = read_image(tmp_path / "ct")
    mask = np.random.default_rng(0).random(SHAPE) < 0.6
    ds = pydicom.dcmread(write(image, [segment(1, mask)], tmp_path / "rt.dcm"))
    headers = {h.SOPInstanceUID: (n, h) for n, h in enumerate(sources_of(image).headers)}
    again = np.zeros(SHAPE, bool)
    for item, points in zip(ds.ROIContourSequence[0].ContourSequence, contours(ds), strict=True):
        slot, header = headers[item.ContourImageSequence[0].ReferencedSOPInstanceUID]
        turn = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        away = points - np.array(header.ImagePositionPatient, float)
        assert np.abs(away @ np.cross(*turn)).max() < 1e-3
        pixels = away @ turn[::-1].T / np.array(header.PixelSpacing, float)
        again[slot] |= polygon2mask(SHAPE[1:], pixels)
    np.testing.assert_array_equal(again, mask)


def test_frames_of_one_object_are_named_by_their_numbers(tmp_path: Path) -> None:
    """Counted from 1, in whatever order they are stored."""
    heights = [7.5, 0.0, 10.0, 2.5, 5.0]
    ds = whole(
        VALUES.reshape(-1, SHAPE[2]),
        SOPClassUID=EnhancedCTImageStorage,
        Modality="CT",
        SeriesInstanceUID="2.25.4711002",
        FrameOfReferenceUID="2.25.4711003",
        NumberOfFrames=len(heights),
    )
    ds.Rows = SHAPE[1]
    ds.PerFrameFunctionalGroupsSequence = [Dataset() for _ in heights]
    for frame, height in zip(ds.PerFrameFunctionalGroupsSequence, heights, strict=True):
        position, turn, pixel = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, height]
        turn.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        pixel.PixelSpacing, pixel.SliceThickness = [0.8, 1.1], 2.5
        frame.PlanePositionSequence, frame.PlaneOrientationSequence = [position], [turn]
        frame.PixelMeasuresSequence = [pixel]
    ds.save_as(tmp_path / "mf.dcm", enforce_file_format=True)
    image = read_image(tmp_path / "mf.dcm")
    path = write(image, [segment(1, np.ones(image.grid, bool))], tmp_path / "rt.dcm")
    made = pydicom.dcmread(path)
    named = [item.ContourImageSequence[0] for item in made.ROIContourSequence[0].ContourSequence]
    assert {one.ReferencedSOPInstanceUID for one in named} == {ds.SOPInstanceUID}
    told = [heights[one.ReferencedFrameNumber - 1] for one in named]
    assert told == [points[0, 2] for points in contours(made)]


def needed(told: dict[str, Any], ds: Dataset, lacking: list[str]) -> None:
    """Note attributes of types 1 and 2 that are not there, where the sequences above them are."""
    items = [ds]
    for step in told["path"]:
        items = [inner for item in items for inner in item.get(step) or ()]
    for item in items:
        if told["keyword"] not in item:
            lacking.append(f"{told['keyword']} is missing")
        elif told["type"] == "1" and item[told["keyword"]].is_empty:
            lacking.append(f"{told['keyword']} is empty")


def test_every_mandatory_attribute_is_there(tmp_path: Path) -> None:
    """By the module tables of the standard, and by dicom3tools."""
    image = series(tmp_path / "ct")
    organ = segment(2, VALUES < 99, site=None, category=ORGAN)
    path = write(image, [segment(1, VALUES > 200, phrase="a mass"), organ], tmp_path / "rt.dcm")
    ds, lacking = pydicom.dcmread(path), list[str]()
    modules = [m["key"] for m in get_iod_module_map()["rt-structure-set"] if m["usage"] == "M"]
    assert {"structure-set", "roi-contour", "rt-roi-observations"} <= set(modules)
    for module in (*modules, "approval", "frame-of-reference"):
        for told in get_module_attribute_map()[module]:
            if told["type"] in ("1", "2"):
                needed(told, ds, lacking)
    assert lacking == []
    assert dciodvfy(path) == []


def test_it_says_what_it_is_and_of_what(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    found = [
        segment(1, VALUES > 200, phrase="a mass in\nthe left lung", colour=(86, 180, 233)),
        segment(2, VALUES < 99, category=ORGAN, drawn_by="SEMIAUTOMATIC", site=None, colour=(1, 2, 3)),
    ]
    found[1] = replace(found[1], phrase="liver " * 400)
    ds = pydicom.dcmread(write(image, found, tmp_path / "rt.dcm"))
    headers = sources_of(image).headers
    assert (ds.PatientName, ds.PatientID, ds.StudyInstanceUID) == (NAME, ID, headers[0].StudyInstanceUID)
    assert ds.SeriesInstanceUID != headers[0].SeriesInstanceUID
    assert "Not a medical device" in ds.StructureSetDescription
    assert ds.ApprovalStatus == "UNAPPROVED"
    (frame,) = ds.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == ds.FrameOfReferenceUID == headers[0].FrameOfReferenceUID
    (study,) = frame.RTReferencedStudySequence
    (one,) = study.RTReferencedSeriesSequence
    assert study.ReferencedSOPInstanceUID == ds.StudyInstanceUID
    assert one.SeriesInstanceUID == headers[0].SeriesInstanceUID
    named = {item.ReferencedSOPInstanceUID for item in one.ContourImageSequence}
    assert named == {header.SOPInstanceUID for header in headers}
    mass, organ = ds.StructureSetROISequence
    assert (mass.ROIName, mass.ROIDescription) == ("thing 1", "a mass in the left lung")
    assert len(organ.ROIDescription) == 1024  # what its type holds
    assert [roi.ROIGenerationAlgorithm for roi in (mass, organ)] == ["AUTOMATIC", "SEMIAUTOMATIC"]
    assert {roi.ReferencedFrameOfReferenceUID for roi in (mass, organ)} == {ds.FrameOfReferenceUID}
    assert [list(roi.ROIDisplayColor) for roi in ds.ROIContourSequence] == [[86, 180, 233], [1, 2, 3]]
    kinds = {c.ContourGeometricType for roi in ds.ROIContourSequence for c in roi.ContourSequence}
    assert kinds == {"CLOSED_PLANAR"}
    seen = ds.RTROIObservationsSequence
    assert [item.RTROIInterpretedType for item in seen] == ["", "ORGAN"]
    told = read_masks(tmp_path / "rt.dcm", image).infos
    assert [(i.id, i.name, i.kind, i.site, i.side) for i in told] == [
        ("f1", "thing 1", LESION, LUNG, LEFT),
        ("f2", "thing 2", LESION, None, LEFT),
    ]


def test_a_contour_of_many_points_is_stored_whole(tmp_path: Path) -> None:
    """More than the 64 KiB that an element of explicit VR can hold."""
    values = np.indices((2, 160, 160)).sum(axis=0) % 2
    values[:, ::2] = 1  # combs: one piece
    image = read_image(write_ct(tmp_path / "ct", values, affine_of(TILT)))
    path = write(image, [segment(1, values > 0)], tmp_path / "rt.dcm")
    ds = pydicom.dcmread(path)
    assert max(len(points) for points in contours(ds)) > 20_000
    np.testing.assert_array_equal(read_masks(path, image).mask(1), values > 0)


def test_one_slice_is_enough(tmp_path: Path) -> None:
    folder = write_ct(tmp_path / "ct", VALUES[:1], affine_of(TILT))
    image = read_image(next(folder.iterdir()))
    assert len(image.grid) == 2
    mask = image.data[0] % 3 == 0
    path = write(image, [segment(1, mask)], tmp_path / "rt.dcm")
    np.testing.assert_array_equal(read_masks(path, image).mask(1), mask)
    np.testing.assert_array_equal(read_masks(path).mask(1)[0], mask)
    grid = pydicom.dcmread(path).ROIContourSequence[0].SourcePixelPlanesCharacteristicsSequence[0]
    thick = pydicom.dcmread(next(folder.iterdir())).SliceThickness
    assert float(grid.SpacingBetweenSlices) == pytest.approx(float(thick))
    assert dciodvfy(path) == []


@pytest.mark.parametrize("told", [{"NumberOfFrames": 20_001}, {"Rows": 60_000, "Columns": 60_000}])
def test_the_grid_that_a_file_tells_is_believed_within_limits(told: dict[str, int], tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    path = write(image, [segment(1, image.data[0] > 9)], tmp_path / "rt.dcm")
    ds = pydicom.dcmread(path)
    for name, value in told.items():
        setattr(ds.ROIContourSequence[0].SourcePixelPlanesCharacteristicsSequence[0], name, value)
    ds.save_as(path)
    assert read_masks(path, image).mask(1).any()  # the image tells its own
    with pytest.raises(InputError, match="raise the limit"):
        read_masks(path)


def test_what_has_no_place_in_the_patient_is_refused(tmp_path: Path) -> None:
    film = read_image(write_dx(tmp_path / "dx.dcm", np.arange(80 * 60).reshape(80, 60) % 255))
    with pytest.raises(UsageError, match=r"no place in the patient.*use dicom-seg, nifti or png") as caught:
        make_rt(film, [segment(1, film.data[0] > 9)], sources_of(film), MAKER)
    assert "\n" not in str(caught.value)


def test_a_grid_between_the_images_names_only_those_in_whose_plane_it_lies(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    assert image.affine is not None
    finer = image.affine.copy()
    finer[:3, 0] /= 2
    data = np.repeat(image.data, 2, axis=1)
    fine = replace(image, data=data, affine=finer, spacing=(1.25, 0.8, 1.1))
    path = write(fine, [segment(1, data[0] > -1)], tmp_path / "rt.dcm")
    named = [
        "ContourImageSequence" in item for item in pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    ]
    assert named == [True, False] * 5
    np.testing.assert_array_equal(read_masks(path, fine).mask(1), data[0] > -1)
    coarse = read_masks(path, image)  # the halves lie on no slice of the images
    assert coarse.mask(1).all()
    assert [code for code, _ in coarse.notes] == ["outlines_between"]


def test_a_tilted_gantry(tmp_path: Path) -> None:
    """Masks lie on the straight grid; each of its slices lies in the plane of an image."""
    leaning = affine_of(np.eye(3)[:, [2, 1, 0]] * (1, -1, -1))
    leaning[1, 0] = 0.9
    image = read_image(write_ct(tmp_path / "ct", VALUES, leaning))
    assert image.source.warnings[0][0] == "tilt_resampled"
    mask = np.random.default_rng(0).random(image.grid) < 0.5
    path = write(image, [segment(1, mask)], tmp_path / "rt.dcm")
    np.testing.assert_array_equal(read_masks(path, image).mask(1), mask)
    items = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    assert all("ContourImageSequence" in item for item in items)


def test_accepted_gaps(tmp_path: Path) -> None:
    folder = write_ct(tmp_path / "ct", VALUES, affine_of(TILT))
    gone = [p for p in folder.iterdir() if pydicom.dcmread(p).pixel_array[0, 0] == VALUES[2, 0, 0]]
    gone[0].unlink()
    image = read_image(folder, choices=Choices(accept_gaps=True))
    mask = np.ones(image.grid, bool)
    path = write(image, [segment(1, mask)], tmp_path / "rt.dcm")
    items = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    assert ["ContourImageSequence" in item for item in items] == [True, True, False, True, True]
    np.testing.assert_array_equal(read_masks(path, image).mask(1), mask)


@pytest.mark.parametrize("name", ["mr_enhanced/enh.dcm", "ct_tiny_series/mf.dcm", "mr_small/MR_small.dcm"])
def test_real_headers(name: str, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "dicom_mix" / "files" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    image = read_image(path)
    mask = np.random.default_rng(1).random(image.grid) < 0.3
    made = write(image, [segment(1, mask)], tmp_path / "rt.dcm")
    assert dciodvfy(made) == []
    np.testing.assert_array_equal(read_masks(made, image).mask(1), mask)
    if mask.ndim == 3:
        items = pydicom.dcmread(made).ROIContourSequence[0].ContourSequence
        frames = {item.ContourImageSequence[0].get("ReferencedFrameNumber") for item in items}
        assert frames == set(range(1, image.grid[0] + 1))
