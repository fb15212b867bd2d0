"""RT structure sets in: as other programs write them, on images in any order of axes, and hostile ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_files import MAKER, PLANTED, segment, write_ct
from medsegr.errors import GeometryError, InputError, MedsegrError
from medsegr.io.dicom_masks import header_of, holds_masks, read_masks
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_rt import make_rt
from medsegr.io.dicom_source import sources_of
from medsegr.io.limits import Limits
from medsegr.io.read import image_from_array, read_image
from medsegr.io.values import LPS_TO_RAS
from medsegr.types import Image
from placed import TILT, affine_of

SHAPE = (6, 14, 12)
VALUES = np.arange(np.prod(SHAPE)).reshape(SHAPE)
CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
OUTER = [(1.5, 1.5), (1.5, 9.5), (10.5, 9.5), (10.5, 1.5)]  # row, column in pixels
INNER = [(4.5, 4.5), (7.5, 4.5), (7.5, 6.5), (4.5, 6.5)]
KEYHOLE = [*OUTER[:1], (1.5, 4.5), *INNER, INNER[0], (1.5, 4.5), *OUTER[1:]]
SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
Outline = tuple[float, Sequence[tuple[float, float]]]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return read_image(write_ct(tmp_path / "ct", VALUES, affine_of(TILT)))


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def contour(image: Image, outline: Outline, kind: str = "CLOSED_PLANAR") -> Dataset:
    """A contour at (slice, [(row, column), ...]), in the plain manner: no names of images, no numbers."""
    assert image.affine is not None
    depth, points = outline
    lps = LPS_TO_RAS @ image.affine
    placed = [lps @ (depth, *point, 1) for point in points]
    return item(
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.5f}" for place in placed for value in place[:3]],
    )


def structures(rois: dict[int, list[Dataset]], frame: str = "") -> Dataset:
    """A structure set of another program: ROIs in the order that they come, next to nothing else."""
    ds = item(SOPClassUID=CLASS, SOPInstanceUID="2.25.77", Modality="RTSTRUCT", PatientName="Planted^Name")
    ds.StructureSetROISequence = [
        item(ROINumber=number, ROIName=f"roi {number}", ReferencedFrameOfReferenceUID=frame)
        for number in sorted(rois)
    ]
    ds.ROIContourSequence = [
        item(ReferencedROINumber=number, ContourSequence=found) for number, found in rois.items()
    ]
    return ds


def save(ds: Dataset, path: Path, syntax: str = ImplicitVRLittleEndian, undefined: bool = False) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = CLASS
    ds.file_meta.MediaStorageSOPInstanceUID = "2.25.77"
    for part in ds.iterall() if undefined else ():
        if part.VR == "SQ":
            part.is_undefined_length = True
            for inner in part.value:
                inner.is_undefined_length_sequence_item = True
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


def ring(image: Image) -> np.ndarray:
    mask = np.zeros(image.grid, bool)
    mask[2, 2:11, 2:10] = True
    mask[2, 5:8, 5:7] = False
    return mask


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_holes_in_every_manner_and_encoding(
    syntax: str, undefined: bool, image: Image, tmp_path: Path
) -> None:
    """A keyhole; a contour in another, in either order and way round; the kind that says XOR. The ROIs come
    in no order."""
    rois = {
        7: [contour(image, (2, KEYHOLE))],
        3: [contour(image, (2, INNER)), contour(image, (2, OUTER))],
        12: [contour(image, (2, one), "CLOSEDPLANAR_XOR") for one in (OUTER, INNER[::-1])],
    }
    path = save(structures(rois), tmp_path / "rt.dcm", syntax, undefined)
    assert holds_masks(path)
    found = read_masks(path, image)
    assert [(info.number, info.name) for info in found.infos] == [(n, f"roi {n}") for n in (3, 7, 12)]
    for number in rois:
        np.testing.assert_array_equal(found.mask(number), ring(image))
    assert found.notes == ()
    assert header_of(path)[1] == found.infos


def test_a_contour_that_came_twice_is_one(image: Image, tmp_path: Path) -> None:
    """As XOR it would undo itself, which only the kind that says so may."""
    twice = [contour(image, (2, OUTER))] * 2
    xor = [contour(image, (2, OUTER), "CLOSEDPLANAR_XOR")] * 2
    found = read_masks(save(structures({1: twice, 2: xor}), tmp_path / "rt.dcm"), image)
    assert found.mask(1).sum() == 9 * 8
    assert not found.mask(2).any()


def test_contours_through_the_centres_of_pixels(image: Image, tmp_path: Path) -> None:
    """As programs draw them that go from border pixel to border pixel: one of a single point, too."""
    border = [(2, 2), (2, 9), (10, 9), (10, 2)]
    hole = [(4, 4), (4, 7), (8, 7), (8, 4)]
    rois = {1: [contour(image, (2, one)) for one in (border, hole)], 2: [contour(image, (0, [(3, 5)]))]}
    found = read_masks(save(structures(rois), tmp_path / "rt.dcm"), image)
    expected = np.zeros(SHAPE, bool)
    expected[2, 2:11, 2:10] = True
    expected[2, 5:8, 5:7] = False
    np.testing.assert_array_equal(found.mask(1), expected)
    np.testing.assert_array_equal(np.argwhere(found.mask(2)), [[0, 3, 5]])


def test_an_image_with_its_axes_in_any_order(orientation: np.ndarray, image: Image, tmp_path: Path) -> None:
    """A NIfTI made from the series, which tells no frame of reference: contours lie along another axis of its
    grid."""
    mask = np.random.default_rng(0).random(SHAPE) < 0.4
    path = tmp_path / "rt.dcm"
    save_object(make_rt(image, [segment(1, mask)], sources_of(image), MAKER), path)
    turn = np.eye(4)
    turn[:3, :3] = orientation
    way = nib.orientations.io_orientation(turn)
    assert image.affine is not None
    other = nib.Nifti1Image(image.data[0], image.affine).as_reoriented(way)
    moved = nib.Nifti1Image(mask.astype(np.uint8), image.affine).as_reoriented(way)
    nib.save(other, tmp_path / "ct.nii")
    grid = read_image(tmp_path / "ct.nii", modality="CT")
    np.testing.assert_array_equal(read_masks(path, grid).mask(1), np.asarray(moved.dataobj) > 0)


def test_contours_between_slices_go_to_the_nearest(image: Image, tmp_path: Path) -> None:
    """Two planes that meet in one slice are united there, not taken as XOR."""
    rois = {
        1: [contour(image, (1.3, OUTER)), contour(image, (0.8, INNER))],
        2: [contour(image, (4.05, OUTER))],
    }
    found = read_masks(save(structures(rois), tmp_path / "rt.dcm"), image)
    assert np.argwhere(found.mask(1).any(axis=(1, 2))).ravel().tolist() == [1]
    assert found.mask(1).sum() == 9 * 8
    assert np.argwhere(found.mask(2).any(axis=(1, 2))).ravel().tolist() == [4]
    assert found.notes == (
        ("outlines_between", "ROI 1: contours lie between slices and were put on the nearest"),
    )


@pytest.mark.parametrize("depth", np.arange(1.4, 1.6, 0.005).tolist())
def test_a_hole_stays_one_however_the_plane_is_rounded(depth: float, image: Image, tmp_path: Path) -> None:
    rois = {1: [contour(image, (depth, OUTER)), contour(image, (depth + 0.004, INNER))]}
    found = read_masks(save(structures(rois), tmp_path / "rt.dcm"), image)
    assert found.mask(1).any(axis=(1, 2)).sum() == 1
    assert found.mask(1).sum() == 72 - 6


def test_what_is_not_drawn_is_told(image: Image, tmp_path: Path) -> None:
    far = [(-3.5, 1.5), (-3.5, 9.5), (4.5, 9.5), (4.5, 1.5)]
    rois = {
        1: [contour(image, (2, OUTER[:1]), "POINT"), contour(image, (2, OUTER))],
        2: [contour(image, (1, OUTER), "OPEN_PLANAR")],
        3: [contour(image, (0, far))],
        4: [contour(image, (n, OUTER)) for n in (0, 2, 4)],
        5: [contour(image, (0, [(2.2, 2.2), (2.2, 2.4), (2.4, 2.3)]))],
        6: [],
        7: [contour(image, (n, OUTER)) for n in (1, 3)],  # two alone tell no rhythm
    }
    found = read_masks(save(structures(rois), tmp_path / "rt.dcm"), image)
    counts = [int(found.mask(n).sum()) for n in rois]
    assert counts == [72, 0, 5 * 8, 3 * 72, 0, 0, 2 * 72]
    assert [(code, text.partition(":")[0]) for code, text in found.notes] == [
        ("outlines_open", "ROI 1, 2"),
        ("outlines_cut", "ROI 3"),
        ("outlines_apart", "ROI 4"),
        ("outlines_empty", "ROI 5, 6"),
    ]


def test_an_roi_that_was_never_drawn_is_no_mask_of_a_set(image: Image, tmp_path: Path) -> None:
    rois = {
        1: [contour(image, (2, OUTER[:1]), "POINT")],
        2: [],
        3: [contour(image, (2, OUTER), "CLOSEDPLANAR_XOR")],
    }
    path = save(structures(rois), tmp_path / "rt.dcm")
    assert [info.number for info in header_of(path)[1]] == [3]
    assert [info.number for info in read_masks(path, image).infos] == [1, 2, 3]


def test_numbers_that_are_no_labels_are_counted(image: Image, tmp_path: Path) -> None:
    rois = {0: [contour(image, (2, OUTER))], 99999: [contour(image, (3, OUTER))]}
    ds = structures(rois)
    ds.StructureSetROISequence[1].ROIName = ""
    found = read_masks(save(ds, tmp_path / "rt.dcm"), image)
    assert [(info.number, info.name) for info in found.infos] == [(1, "roi 0"), (2, "ROI 99999")]
    assert [int(found.mask(n)[n + 1].sum()) for n in (1, 2)] == [72, 72]


def test_another_place_is_refused(image: Image, tmp_path: Path) -> None:
    plain = [contour(image, (2, OUTER))]
    other = save(structures({1: plain}, "1.2.3.4"), tmp_path / "other.dcm")
    with pytest.raises(InputError, match="another frame of reference"):
        read_masks(other, image)
    own = str(sources_of(image).headers[0].FrameOfReferenceUID)
    assert read_masks(save(structures({1: plain}, own), tmp_path / "own.dcm"), image).mask(1).any()
    two = structures({1: plain})
    two.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=uid) for uid in ("1.2.3.4", own)]
    assert read_masks(save(two, tmp_path / "two.dcm"), image).mask(1).any()  # it may mean either
    del two.ReferencedFrameOfReferenceSequence[1]
    with pytest.raises(InputError, match="another frame of reference"):
        read_masks(save(two, tmp_path / "one.dcm"), image)
    for depth in (-1, 5.8, 40):
        path = save(structures({4: [contour(image, (depth, OUTER))]}), tmp_path / "plane.dcm")
        with pytest.raises(GeometryError, match=r"ROI 4 lie on a plane that the image does not have"):
            read_masks(path, image)
    leaning = contour(image, (2, OUTER))
    leaning.ContourData[2] = float(leaning.ContourData[2]) + 9
    with pytest.raises(GeometryError, match="another orientation"):
        read_masks(save(structures({1: [leaning]}), tmp_path / "lean.dcm"), image)
    with pytest.raises(GeometryError, match="give the image that they were drawn on"):
        read_masks(other)
    flat = image_from_array(np.zeros(SHAPE[1:]), spacing=(1.0, 1.0), modality="CT")
    with pytest.raises(GeometryError, match="the image has none"):
        read_masks(other, flat)


def changed(part: str, **elements: Any) -> Callable[[Dataset], None]:
    """Set elements of the only contour, or take them away (None)."""

    def change(ds: Dataset) -> None:
        at = ds.ROIContourSequence[0].ContourSequence[0] if part == "contour" else ds
        for name, value in elements.items():
            if value is None:
                delattr(at, name)
            else:
                setattr(at, name, value)

    return change


HOSTILE = [
    (changed("contour", NumberOfContourPoints=5), "12 coordinates for 5 points"),
    (changed("contour", ContourData=["1"] * 11), "11 coordinates"),
    (changed("contour", ContourData=["1"] * 11, NumberOfContourPoints=None), "11 coordinates, where three"),
    (changed("contour", ContourData=None), "0 coordinates|no number"),
    (changed("contour", ContourData=["9e99"] * 12), "not finite, or beyond"),
    (changed("object", StructureSetROISequence=None), "describes no ROI"),
    (changed("object", ROIContourSequence=None), "holds no contour"),
    (changed("object", ROIContourSequence=[item(ReferencedROINumber=9)]), "ROI 9, which is not described"),
    (changed("object", ROIContourSequence=[item()]), "no number"),
    (changed("object", StructureSetROISequence=[item(ROINumber=1), item(ROINumber=1)]), "share a number"),
    (changed("object", StructureSetROISequence=[item(ROIName="Planted^Name")]), "no number"),
]


@pytest.mark.parametrize(("change", "word"), HOSTILE)
def test_hostile_files_are_one_line_without_names(
    change: Callable[[Dataset], None], word: str, image: Image, tmp_path: Path
) -> None:
    ds = structures({1: [contour(image, (2, OUTER))]})
    change(ds)
    with pytest.raises(InputError, match=word) as caught:
        read_masks(save(ds, tmp_path / "rt.dcm"), image)
    told = str(caught.value)
    assert "\n" not in told
    assert not [name for name in PLANTED if name in told]


def test_a_value_filled_up_with_a_nul(image: Image, tmp_path: Path) -> None:
    """As some programs fill up what the standard fills up with a space."""
    path = save(structures({1: [contour(image, (2, OUTER))]}), tmp_path / "rt.dcm")
    data = path.read_bytes()
    text = str(pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0].ContourData[-1]).encode()
    path.write_bytes(data.replace(text, text[:-1] + b"\0"))
    assert read_masks(path, image).mask(1).sum() == 72


@pytest.mark.parametrize("text", [b"nan", b"inf", b"-inf", b"1_0x", b"Planted"])
def test_coordinates_that_are_no_numbers(text: bytes, image: Image, tmp_path: Path) -> None:
    path = save(structures({1: [contour(image, (2, OUTER))]}), tmp_path / "rt.dcm")
    data = path.read_bytes()
    at = data.index(b"\\", data.index(b"CLOSED_PLANAR")) + 1
    path.write_bytes(data[:at] + text.ljust(8) + data[at + 8 :])
    with pytest.raises(InputError, match=r"no number|not finite|coordinates") as caught:
        read_masks(path, image)
    assert "Planted" not in str(caught.value)


def test_counts_are_limited(image: Image, tmp_path: Path) -> None:
    path = save(structures({1: [contour(image, (2, OUTER))] * 4}), tmp_path / "rt.dcm")
    for limit in (Limits(contours=3), Limits(points=15), Limits(file_bytes=99)):
        with pytest.raises(InputError, match="raise the limit"):
            read_masks(path, image, limit)
    endless = structures({1: [contour(image, (2, OUTER))]})
    endless.ROIContourSequence[0].ContourSequence[0].ContourData = [*map(str, range(59)), "4711.25"]
    data = save(endless, path).read_bytes()
    path.write_bytes(data.replace(b"4711.25", b"4711.xx"))
    with pytest.raises(InputError, match="raise the limit"):
        read_masks(path, image, Limits(points=15))  # by its separators, before a number of it is read
    zigzag = [(0.5 + 11 * (n % 2), 1.0 + n / 100) for n in range(400)]
    path = save(structures({1: [contour(image, (2, zigzag))]}), tmp_path / "rt.dcm")
    with pytest.raises(InputError, match=r"lines: .* points"):
        read_masks(path, image, Limits(points=2000))
    assert read_masks(path, image).mask(1).any()


def test_any_cut_file_is_one_line(image: Image, tmp_path: Path) -> None:
    path = save(structures({1: [contour(image, (2, KEYHOLE))]}), tmp_path / "rt.dcm")
    data, told = path.read_bytes(), []
    for end in range(140, len(data), 23):
        path.write_bytes(data[:end])
        try:
            assert not read_masks(path, image).mask(1).any()  # cut within what is not needed
        except MedsegrError as error:
            told.append(str(error))
    assert len(told) > 10
    assert not [line for line in told if "\n" in line or any(name in line for name in PLANTED)]


def test_a_series_beside_its_structure_set_is_still_read(image: Image, tmp_path: Path) -> None:
    """However long that is: its contours are no elements of an image's header."""
    many = [contour(image, (2, OUTER))] * 600
    save(structures({1: many}), tmp_path / "ct" / "rt.dcm", ExplicitVRLittleEndian, undefined=True)
    assert read_image(tmp_path / "ct", limits=Limits(elements=1000)).grid == SHAPE


def test_a_file_of_a_plan_system() -> None:
    """The one that pydicom brings along: no meta header, a body of three slices, two isocentres."""
    path = Path(str(get_testdata_file("rtstruct.dcm", download=False)))
    affine = LPS_TO_RAS @ np.array([[0, 0, 2, -209], [0, 2, 0, -159], [10, 0, 0, -200], [0, 0, 0, 1]], float)
    grid = image_from_array(np.zeros((21, 160, 210)), affine=affine, modality="CT")
    found = read_masks(path, grid)
    assert [info.name for info in found.infos] == ["patient", "Isocenter 1", "Isocenter 2"]
    body = np.zeros(grid.grid, bool)
    body[:3, 5:155, 5:205] = True  # 400 x 300 mm around the origin
    np.testing.assert_array_equal(found.mask(1), body)
    assert found.notes == (
        ("outlines_open", "ROI 2, 3: points and open lines enclose nothing and were left out"),
    )
