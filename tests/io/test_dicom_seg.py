"""A written DICOM SEG lies where the mask lies, as others read it, and says what it is."""

import tempfile
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_files import MAKER, NAME, dciodvfy, dcmqi, segment, write_ct, write_dx
from medsegr.errors import InputError, UsageError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_seg import make_seg
from medsegr.io.dicom_source import sources_of
from medsegr.io.read import read_image
from medsegr.io.segments import Segment
from medsegr.types import Image
from placed import TILT, affine_of, centre_mm, itk_centre_mm

SHAPE = (5, 12, 10)
YOUNG = [  # what a validator says of any label map that is older than the object
    "Error - SegmentNumber not monotonically increasing from one by one - have SegmentSequence item number 1 "
    "(from one) with SegmentNumber of 0",
    "Error - Information Object Not found",
]


def phantom() -> np.ndarray:
    """A block near one corner, a smaller one near another: mirrored in no direction."""
    values = np.zeros(SHAPE)
    values[0:3, 0:6, 0:4] = 100
    values[4, 10:12, 8:10] = 50
    return values


def series(folder: Path, directions: np.ndarray | None = None) -> Image:
    return read_image(write_ct(folder, phantom(), affine_of(np.eye(3) if directions is None else directions)))


def write(image: Image, found: list[Segment], path: Path, kind: str = "binary") -> Path:
    save_object(make_seg(image, found, sources_of(image), MAKER, kind), path)
    return path


def stored(path: Path, image: Image) -> np.ndarray:
    """Masks ``slice row column segment`` as highdicom gives them for the source images in slice order."""
    seg = hd.seg.segread(path)
    uids = [ds.SOPInstanceUID for ds in sources_of(image).headers]
    return seg.get_pixels_by_source_instance(
        uids, combine_segments=False, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )


def test_masks_lie_where_they_lay_in_every_orientation(orientation: np.ndarray, tmp_path: Path) -> None:
    """TotalSegmentator 598: mirrored for a negated column cosine."""
    image = series(tmp_path / "ct", TILT @ orientation)
    assert image.affine is not None
    masks = [image.data[0] > 75, image.data[0] == 50]
    path = write(image, [segment(n, mask) for n, mask in enumerate(masks, 1)], tmp_path / "seg.dcm")
    seg = hd.seg.segread(path)
    volume = seg.get_volume(combine_segments=False)
    for number, mask in enumerate(masks):
        expected = centre_mm(mask, image.affine)
        lps = centre_mm(volume.array[..., number] > 0, volume.affine)
        np.testing.assert_allclose(lps * (-1, -1, 1), expected, atol=1e-3)
    if orientation[2, 0]:  # axial slices: every order and flip of rows and columns is among these sixteen
        for (_, picture), mask in zip(dcmqi(path, tmp_path / "itk"), masks, strict=True):
            np.testing.assert_allclose(itk_centre_mm(picture), centre_mm(mask, image.affine), atol=1e-3)
            assert (sitk.GetArrayFromImage(picture) > 0).sum() == mask.sum()


def test_voxels_come_back_bit_for_bit_and_names_of_files_do_not_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for seed in (0, 1):
        image = read_image(write_ct(tmp_path / f"ct{seed}", phantom(), affine_of(TILT), seed))
        masks = rng.random((3, *image.grid)) > 0.6
        path = write(image, [segment(n, mask) for n, mask in enumerate(masks, 1)], tmp_path / f"{seed}.dcm")
        np.testing.assert_array_equal(stored(path, image), np.moveaxis(masks, 0, -1))
        for (_, picture), mask in zip(dcmqi(path, tmp_path / f"itk{seed}"), masks, strict=True):
            back = sitk.GetArrayFromImage(picture) > 0
            assert back.sum() == mask.sum()


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from(["sparse", "dense", "one slice"]))
def test_any_masks_come_back_bit_for_bit(seed: int, count: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.random((count, *SHAPE)) > {"sparse": 0.99, "dense": 0.3, "one slice": 0.5}[how]
    if how == "one slice":
        masks[:, np.arange(SHAPE[0]) != rng.integers(SHAPE[0])] = False
    masks[np.arange(count), 0, 0, 0] |= ~masks.any(axis=(1, 2, 3))
    with tempfile.TemporaryDirectory() as name:
        image = series(Path(name) / "ct", TILT)
        path = write(image, [segment(n, m) for n, m in enumerate(masks, 1)], Path(name) / "seg.dcm")
        np.testing.assert_array_equal(stored(path, image), np.moveaxis(masks, 0, -1))


@pytest.mark.parametrize("kind", ["binary", "labelmap", "fractional"])
def test_every_kind_passes_the_validator_and_comes_back(kind: str, tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    masks = [image.data[0] > 75, image.data[0] == 50]
    found = [segment(n, m, prob=np.where(m, 0.8, 0.2).astype(np.float32)) for n, m in enumerate(masks, 1)]
    path = write(image, found, tmp_path / "seg.dcm", kind)
    seg = hd.seg.segread(path)
    assert seg.segmentation_type.value == kind.upper()
    if kind == "fractional":
        uids = [ds.SOPInstanceUID for ds in sources_of(image).headers]
        back = seg.get_pixels_by_source_instance(uids, combine_segments=False, ignore_spatial_locations=True)
        np.testing.assert_allclose(back, np.moveaxis([s.prob for s in found], 0, -1), atol=1 / 255)
    else:
        np.testing.assert_array_equal(stored(path, image), np.moveaxis(masks, 0, -1))
    assert dciodvfy(path) == (YOUNG if kind == "labelmap" else [])


def test_what_the_validator_says_of_a_label_map_is_about_every_label_map(tmp_path: Path) -> None:
    """The standard gives label maps a class of their own and number 0 to their background (PS3.3 C.8.20.2).

    The dicom3tools of Debian 12 are older than that; highdicom's plainest label map gets the same two lines.
    """
    image = series(tmp_path / "ct")
    tissue = hd.sr.CodedConcept("85756007", "SCT", "Tissue")
    told = hd.seg.SegmentDescription(1, "one", tissue, tissue, "MANUAL")
    plain = hd.seg.Segmentation(
        [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir())],
        np.ones(image.grid, np.uint8),
        "LABELMAP",
        [told],
        **{"series_instance_uid": hd.UID(), "sop_instance_uid": hd.UID()},
        **{"series_number": 1, "instance_number": 1, "manufacturer": "a", "manufacturer_model_name": "b"},
        **{"software_versions": "1", "device_serial_number": "1"},
    )
    plain.save_as(tmp_path / "plain.dcm")
    assert dciodvfy(tmp_path / "plain.dcm") == YOUNG


def test_overlapping_masks_stay_whole(tmp_path: Path) -> None:
    """VoxTell: overlapping masks overwritten."""
    image = series(tmp_path / "ct")
    large = image.data[0] > 75
    small = large.copy()
    small[:, 3:] = False
    path = write(image, [segment(1, large), segment(2, small)], tmp_path / "seg.dcm")
    np.testing.assert_array_equal(stored(path, image), np.stack([large, small], axis=-1))
    assert pydicom.dcmread(path).SegmentsOverlap == "YES"
    assert dciodvfy(path) == []
    with pytest.raises(UsageError, match="f1 and f2 overlap"):
        make_seg(image, [segment(1, large), segment(2, small)], sources_of(image), MAKER, "labelmap")


def test_an_empty_segment_is_never_written(tmp_path: Path) -> None:
    """OHIF 3991: an empty segment hangs the viewer."""
    image = series(tmp_path / "ct")
    empty = np.zeros(image.grid, bool)
    path = write(
        image, [segment(1, empty), segment(2, image.data[0] > 75), segment(3, None)], tmp_path / "seg.dcm"
    )
    seg = hd.seg.segread(path)
    assert [d.TrackingID for d in seg.SegmentSequence] == ["f2"]
    assert all(frame.any() for frame in np.atleast_3d(seg.pixel_array))
    for found in ([segment(1, empty)], [segment(1, None)], []):
        with pytest.raises(InputError, match="no mask"):
            make_seg(image, found, sources_of(image), MAKER)


def test_left_out_frames_do_not_shift_the_rest(tmp_path: Path) -> None:
    """monai-deploy-app-sdk 397: empty frames shift the overlay."""
    image = series(tmp_path / "ct")
    mask = np.zeros(image.grid, bool)
    mask[1, 2:4, 3:5] = mask[4, 7:9, 1:3] = True
    path = write(image, [segment(1, mask)], tmp_path / "seg.dcm")
    assert int(pydicom.dcmread(path).NumberOfFrames) == 2
    np.testing.assert_array_equal(stored(path, image)[..., 0], mask)
    ((_, picture),) = dcmqi(path, tmp_path / "itk")
    np.testing.assert_allclose(itk_centre_mm(picture), centre_mm(mask, image.affine), atol=1e-3)


def test_it_says_what_it_is_and_of_what(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    path = write(image, [segment(1, image.data[0] > 75)], tmp_path / "seg.dcm")
    ds = pydicom.dcmread(path)
    source = sources_of(image).headers[0]
    assert str(ds.PatientName) == NAME  # the copied patient module: a PACS would lose the object without it
    assert ds.StudyInstanceUID == source.StudyInstanceUID
    assert ds.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert ds.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert len(ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == SHAPE[0]
    assert ds.ContentQualification == "RESEARCH"
    assert ds.ContentDescription == "Not a medical device. For research."
    (told,) = ds.SegmentSequence
    assert (told.SegmentLabel, told.TrackingID, told.TrackingUID) == ("thing 1", "f1", "2.25.4001")
    assert told.SegmentAlgorithmType == "AUTOMATIC"
    assert told.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "medsegr-tiny"
    assert told.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Lesion"
    region = told.AnatomicRegionSequence[0]
    assert (region.CodeMeaning, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("Lung", "Left")
    ((meta, _),) = dcmqi(path, tmp_path / "itk")
    assert meta["SegmentLabel"] == "thing 1"
    assert meta["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "52988006"
    assert meta["AnatomicRegionModifierSequence"]["CodeMeaning"] == "Left"


@pytest.mark.parametrize("kind", ["binary", "labelmap", "fractional"])
def test_a_viewer_finds_what_it_asks_for(kind: str, tmp_path: Path) -> None:
    """What OHIF reads of a SEG, and Slicer through dcmqi: the source image of every frame at the frame's own
    place, the series, one frame of reference, segments counted from 1 with label and colour, plain pixels."""
    image = series(tmp_path / "ct", TILT)
    masks = [image.data[0] > 75, image.data[0] == 50]
    found = [segment(n, m, prob=m.astype(np.float32)) for n, m in enumerate(masks, 1)]
    ds = pydicom.dcmread(write(image, found, tmp_path / "seg.dcm", kind))
    headers = {header.SOPInstanceUID: header for header in sources_of(image).headers}
    first = next(iter(headers.values()))
    assert (ds.Modality, ds.file_meta.TransferSyntaxUID.is_compressed) == ("SEG", False)
    assert (ds.Rows, ds.Columns) == image.grid[1:]
    assert ds.FrameOfReferenceUID == first.FrameOfReferenceUID
    (named,) = ds.ReferencedSeriesSequence
    assert named.SeriesInstanceUID == first.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in named.ReferencedInstanceSequence} == set(headers)
    (shared,) = ds.SharedFunctionalGroupsSequence
    np.testing.assert_allclose(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, first.ImageOrientationPatient, atol=1e-6
    )
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, first.PixelSpacing)
    assert len(ds.PerFrameFunctionalGroupsSequence) == ds.NumberOfFrames
    for group in ds.PerFrameFunctionalGroupsSequence:
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        np.testing.assert_allclose(
            group.PlanePositionSequence[0].ImagePositionPatient,
            headers[source.ReferencedSOPInstanceUID].ImagePositionPatient,
            atol=1e-4,
        )
        if kind != "labelmap":
            assert group.SegmentIdentificationSequence[0].ReferencedSegmentNumber in (1, 2)
    told = [item for item in ds.SegmentSequence if item.SegmentNumber]
    assert [item.SegmentNumber for item in told] == [1, 2]
    for item in told:
        assert item.SegmentLabel
        colour = hd.color.CIELabColor.from_dicom_value(item.RecommendedDisplayCIELabValue).to_rgb()
        np.testing.assert_allclose(colour, (86, 180, 233), atol=2)


def test_a_side_without_a_region_modifies_the_type(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    path = write(image, [segment(1, image.data[0] > 75, site=None)], tmp_path / "seg.dcm")
    (told,) = pydicom.dcmread(path).SegmentSequence
    kind = told.SegmentedPropertyTypeCodeSequence[0]
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert dciodvfy(path) == []


def test_a_projection_without_a_frame_of_reference(tmp_path: Path) -> None:
    image = read_image(write_dx(tmp_path / "dx.dcm", np.arange(80 * 60).reshape(80, 60) % 255))
    assert image.affine is None
    mask = np.zeros(image.grid, bool)
    mask[10:30, 5:25] = True
    path = write(image, [segment(1, mask), segment(2, ~mask)], tmp_path / "seg.dcm")
    ds = pydicom.dcmread(path)
    assert "FrameOfReferenceUID" not in ds
    assert list(ds.PatientOrientation) == ["L", "F"]
    np.testing.assert_array_equal(stored(path, image)[0], np.stack([mask, ~mask], axis=-1))
    assert dciodvfy(path) == []


def test_dcmqi_knows_no_projection_and_says_so(tmp_path: Path) -> None:
    """QIICR/dcmqi 319, open: it wants the orientation of a plane, which an X-ray has not.

    Its makers say there that such a SEG should refer to its picture and leave place and orientation out.
    """
    image = read_image(write_dx(tmp_path / "dx.dcm", np.arange(80 * 60).reshape(80, 60) % 255))
    path = write(image, [segment(1, image.data[0] > 75)], tmp_path / "seg.dcm")
    with pytest.raises(AssertionError, match="Failed to get image directions"):
        dcmqi(path, tmp_path / "itk")


def test_one_slice_keeps_its_place(tmp_path: Path) -> None:
    folder = write_ct(tmp_path / "ct", phantom()[:1], affine_of(TILT))
    image = read_image(next(folder.iterdir()))
    assert (image.affine is not None, len(image.grid)) == (True, 2)
    path = write(image, [segment(1, image.data[0] > 75)], tmp_path / "seg.dcm")
    np.testing.assert_array_equal(stored(path, image)[0, ..., 0], image.data[0] > 75)
    assert pydicom.dcmread(path).FrameOfReferenceUID == sources_of(image).headers[0].FrameOfReferenceUID


def test_a_grid_that_is_not_the_images_own_is_placed_by_its_affine(tmp_path: Path) -> None:
    image = series(tmp_path / "ct", TILT)
    assert image.affine is not None
    finer = image.affine.copy()
    finer[:3, 0] /= 2
    data = np.repeat(image.data, 2, axis=1)
    fine = replace(image, data=data, affine=finer, spacing=(1.25, 0.8, 1.1))
    path = write(fine, [segment(1, data[0] > 75)], tmp_path / "seg.dcm")
    volume = hd.seg.segread(path).get_volume(combine_segments=False)
    found = centre_mm(volume.array[..., 0] > 0, volume.affine) * (-1, -1, 1)
    np.testing.assert_allclose(found, centre_mm(data[0] > 75, finer), atol=1e-3)
    assert dciodvfy(path) == []


def test_fractions_need_probabilities(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    with pytest.raises(UsageError, match="probabilities"):
        make_seg(image, [segment(1, image.data[0] > 75)], sources_of(image), MAKER, "fractional")


def test_odd_letters_in_names_are_no_obstacle(tmp_path: Path) -> None:
    image = series(tmp_path / "ct")
    odd = replace(MAKER, model="mödel\\x\n" + "y" * 90)
    made = make_seg(image, [segment(1, image.data[0] > 75, name="Lunge\\é" * 20)], sources_of(image), odd)
    save_object(made, tmp_path / "seg.dcm")
    assert dciodvfy(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize(
    "name",
    ["cr/RG1_J2KI.dcm", "mr_enhanced/enh.dcm", "ct_tiny_series/mf.dcm", "mr_small/MR_small.dcm"],
)
def test_real_headers(name: str, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "dicom_mix" / "files" / name
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    image = read_image(path)
    mask = np.zeros(image.grid, bool)
    mask[..., 4:9, 5:11] = True
    if mask.ndim == 3:
        mask[0, :2, :2] = True  # another first slice than last
    seg = write(image, [segment(1, mask)], tmp_path / "seg.dcm")
    assert dciodvfy(seg) == []
    read = hd.seg.segread(seg)
    assert int((read.pixel_array > 0).sum()) == mask.sum()
    if mask.ndim == 3:
        ((_, picture),) = dcmqi(seg, tmp_path / "itk")
        np.testing.assert_allclose(itk_centre_mm(picture), centre_mm(mask, image.affine), atol=1e-2)
