import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import compress
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    JPEG2000Lossless,
    RLELossless,
)

from medsegr.errors import GeometryError, InputError, UsageError
from medsegr.grid.planes import patient_left
from medsegr.io.choices import Choices
from medsegr.io.dicom_pixels import codestream_size
from medsegr.io.limits import Limits
from medsegr.io.read import read_image

Make = Callable[..., Any]
GREY = np.random.default_rng(5).integers(0, 4096, (6, 4), dtype=np.uint16)
PLACE = {
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.75],
}


def put(ds: Any, path: Path) -> Path:
    ds.save_as(path)
    return path


def test_hounsfield_units_and_window(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(
        GREY, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=[40, 300], WindowWidth=[400, 1500], **PLACE
    )
    image = read_image(put(ds, tmp_path / "a"))
    np.testing.assert_array_equal(image.data[0], GREY * 2.0 - 1024)
    assert image.source.meta["window"] == (-160.0, 239.0)
    assert image.spacing == (0.5, 0.75)
    assert image.axes == ("P", "L")
    assert (image.modality, image.frame, image.source.frame_from) == ("CT", "patient", "dicom")
    # row 0, column 0 at LPS (-10, -20, 30); a column step goes to the patient's left
    np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [10, 20, 30, 1])
    np.testing.assert_allclose(image.affine @ [0, 1, 0, 1], [9.25, 20, 30, 1])
    np.testing.assert_allclose(image.affine @ [1, 0, 0, 1], [10, 19.5, 30, 1])


def test_signed_values(tmp_path: Path, dicom: Make) -> None:
    values = (GREY.astype(np.int32) - 2000).astype(np.int16)
    image = read_image(put(dicom(values), tmp_path / "a"))
    np.testing.assert_array_equal(image.data[0], values)


def test_monochrome1_is_inverted_with_its_window(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(
        GREY,
        PhotometricInterpretation="MONOCHROME1",
        BitsStored=12,
        HighBit=11,
        Modality="DX",
        WindowCenter=1000.5,
        WindowWidth=1001,
    )
    image = read_image(put(ds, tmp_path / "a"))
    np.testing.assert_array_equal(image.data[0], 4095.0 - GREY)
    assert image.source.meta["window"] == (4095.0 - 1500.0, 4095.0 - 500.0)
    assert image.modality == "CR"


def test_modality_lut(tmp_path: Path, dicom: Make) -> None:
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [4, 0, 16])
    lut.ModalityLUTType = "US"
    lut.add_new("LUTData", "US", [10, 40, 20, 500])
    ds = dicom(np.array([[0, 1], [2, 3]], np.uint16), ModalityLUTSequence=Sequence([lut]))
    assert read_image(put(ds, tmp_path / "a")).data[0].tolist() == [[10, 40], [20, 500]]


@pytest.mark.parametrize("value", [-2000, 63536])
def test_padding_becomes_the_lowest_real_value(tmp_path: Path, dicom: Make, value: int) -> None:
    values = np.array([[-2000, 5], [7, 9]], np.int16)
    ds = dicom(values)
    ds.add_new(0x00280120, "SS" if value < 0 else "US", value)
    assert read_image(put(ds, tmp_path / "a")).data[0].tolist() == [[5, 5], [7, 9]]


def test_colour_palette_and_ybr(tmp_path: Path, dicom: Make) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image = read_image(put(dicom(rgb, Modality="ES"), tmp_path / "a"))
    np.testing.assert_array_equal(image.data, np.moveaxis(rgb, -1, 0))
    assert (image.frame, image.source.frame_from) == ("viewer", "modality")
    planar = dicom(rgb, PlanarConfiguration=1, PixelData=np.moveaxis(rgb, -1, 0).tobytes())
    np.testing.assert_array_equal(read_image(put(planar, tmp_path / "b")).data, np.moveaxis(rgb, -1, 0))
    ybr = np.full((2, 2, 3), (76, 85, 255), np.uint8)  # red
    image = read_image(put(dicom(ybr, PhotometricInterpretation="YBR_FULL"), tmp_path / "c"))
    np.testing.assert_allclose(image.data[:, 0, 0], (254, 0, 0), atol=1)
    palette = dicom(np.array([[0, 1], [2, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name, values in (("Red", (0, 65535, 257)), ("Green", (0, 0, 257)), ("Blue", (257, 0, 257))):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [3, 0, 16])
        setattr(palette, f"{name}PaletteColorLookupTableData", np.array(values, "<u2").tobytes())
    image = read_image(put(palette, tmp_path / "d"))
    assert image.data[:, 0].T.tolist() == [[0, 0, 1], [255, 0, 0]]


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path: Path, dicom: Make, syntax: str) -> None:
    values = np.tile(GREY, (16, 16))
    ds = dicom(values)
    compress(ds, syntax)
    np.testing.assert_array_equal(read_image(put(ds, tmp_path / "a")).data[0], values)


def test_a_compressed_picture_larger_than_its_header_is_refused(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(np.tile(GREY, (10, 10)))
    compress(ds, JPEG2000Lossless)
    ds.Rows, ds.Columns = 6, 4
    with pytest.raises(InputError, match="60 x 40 where the header tells 6 x 4"):
        read_image(put(ds, tmp_path / "a"))


def test_codestream_size_of_rubbish_is_none_and_never_hangs() -> None:
    assert codestream_size(b"") is None
    assert codestream_size(b"\xff\xd8" + b"\xff" * 5000) is None
    assert codestream_size(b"\xff\xd8" + b"\xff\xe0\0\0" * 5000) is None


@pytest.mark.parametrize(
    ("told", "axes", "left"),
    [
        (["L", "F"], ("I", "L"), "right"),
        (["R", "F"], ("I", "R"), "right"),  # the usual view mirrors it
        (["A", "F"], ("I", "A"), None),
        (["PL", "FA"], ("I", "P"), None),
        (["L", "R"], None, "right"),
        (None, None, "right"),
    ],
)
def test_projections_know_their_sides(
    tmp_path: Path, dicom: Make, told: list[str] | None, axes: tuple[str, str] | None, left: str | None
) -> None:
    ds = dicom(GREY, Modality="CR", **({"PatientOrientation": told} if told else {}))
    image = read_image(put(ds, tmp_path / "a"))
    assert (image.axes, patient_left(image), image.frame) == (axes, left, "patient")
    assert image.source.frame_from == "dicom"


def test_a_lateral_view_has_no_left_and_right(tmp_path: Path, dicom: Make) -> None:
    for view, left in (("LL", None), ("PA", "right"), ("LLD", "right")):
        image = read_image(put(dicom(GREY, Modality="DX", ViewPosition=view), tmp_path / view))
        assert patient_left(image) == left
        assert image.axes == (("I", "P") if left is None else None), "the patient looks to the picture's left"


def test_a_slice_tells_its_distance_to_the_next_one_before_its_thickness(tmp_path: Path, dicom: Make) -> None:
    for more, step in (
        ({"SliceThickness": 3}, 3),
        ({"SliceThickness": 3, "SpacingBetweenSlices": 5}, 5),
        ({"SliceThickness": 3, "SpacingBetweenSlices": -6}, 6),  # counted downwards
    ):
        image = read_image(put(dicom(GREY, **PLACE, **more), tmp_path / str(step)))
        np.testing.assert_allclose(np.asarray(image.affine)[:, 2], [0, 0, step, 0])


def test_spacing_of_projections_and_ultrasound(tmp_path: Path, dicom: Make) -> None:
    detector = read_image(put(dicom(GREY, Modality="DX", ImagerPixelSpacing=[0.2, 0.1]), tmp_path / "a"))
    assert detector.spacing == (0.2, 0.1)
    assert "spacing_at_detector" in dict(detector.source.warnings)
    ds = dicom(GREY, Modality="MG", ImagerPixelSpacing=[0.2, 0.1], EstimatedRadiographicMagnificationFactor=2)
    assert read_image(put(ds, tmp_path / "b")).spacing == (0.1, 0.05)
    both = {"Modality": "DX", "ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}
    for name, more, noted in (
        ("equal", {}, True),
        ("calibrated", {"PixelSpacingCalibrationType": "FIDUCIAL"}, False),
        ("corrected", {"PixelSpacing": [0.19, 0.095]}, False),
    ):
        found = read_image(put(dicom(GREY, **{**both, **more}), tmp_path / name))
        assert ("spacing_at_detector" in dict(found.source.warnings)) == noted
    assert found.spacing == (0.19, 0.095)
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, -0.03  # a y axis that points up
    ds = dicom(GREY, Modality="US", SequenceOfUltrasoundRegions=Sequence([region]))
    image = read_image(put(ds, tmp_path / "c"))
    assert image.spacing == (0.3, 0.2)
    assert (image.frame, image.source.frame_from) == ("viewer", "modality")
    assert read_image(put(dicom(GREY, Modality="CR", PixelSpacing=[0, 0]), tmp_path / "d")).spacing is None


@pytest.mark.parametrize(
    ("uid", "word"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT structure set"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "document"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation state"),
        ("1.2.840.10008.1.3.10", "index of files"),
    ],
)
def test_objects_without_a_picture_get_a_plain_word(tmp_path: Path, dicom: Make, uid: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        read_image(put(dicom(GREY, SOPClassUID=uid), tmp_path / "a"))


def test_a_file_without_preamble_is_known_by_its_content(tmp_path: Path, dicom: Make) -> None:
    dicom(GREY).save_as(tmp_path / "a", implicit_vr=False, little_endian=True)
    whole = (tmp_path / "a").read_bytes()
    start = whole.index(b"\x08\x00\x16\x00UI")
    (tmp_path / "b").write_bytes(whole[start:])
    np.testing.assert_array_equal(read_image(tmp_path / "b").data[0], GREY)


def test_too_few_pixels_no_pixels_and_a_huge_header_are_refused(
    tmp_path: Path, dicom: Make, secret: str
) -> None:
    cases = {
        "truncated": dicom(GREY, PixelData=GREY.tobytes()[:-2]),
        "without pixels": dicom(GREY, Rows=0),
        "65,535 x 65,535|4,294,836,225": dicom(GREY, Rows=65535, Columns=65535),
        "frames": dicom(GREY, NumberOfFrames=2_000_000_000),
        "samples": dicom(GREY, SamplesPerPixel=7),
        "bits": dicom(GREY, BitsAllocated=12),
    }
    for word, ds in cases.items():
        with pytest.raises(InputError, match=word) as caught:
            read_image(put(ds, tmp_path / "a"))
        assert secret not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_deflated_bomb_is_refused_before_it_grows(tmp_path: Path, dicom: Make) -> None:
    path = tmp_path / "a"
    dicom(GREY, syntax=DeflatedExplicitVRLittleEndian).save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_image(path).data[0], GREY)
    data = path.read_bytes()
    meta = data[: 144 + int.from_bytes(data[140:144], "little")]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(packer.compress(bytes(10_000_000)) for _ in range(8)) + packer.flush()
    path.write_bytes(meta + body)
    with pytest.raises(InputError, match="grows from"):
        read_image(path)


def test_truncated_at_any_place_ends_in_an_input_error_or_the_image(tmp_path: Path, dicom: Make) -> None:
    data = put(dicom(GREY, **PLACE), tmp_path / "a").read_bytes()
    for cut in range(1, len(data) - 1, 7):
        (tmp_path / "b").write_bytes(data[:cut])
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / "b")
        assert "\n" not in str(caught.value)


def frames_of(dicom: Make, volume: np.ndarray, heights: list[float]) -> Any:
    ds = dicom(volume.reshape(-1, volume.shape[-1]), SOPClassUID=EnhancedMRImageStorage, Modality="MR")
    ds.Rows, ds.Columns, ds.NumberOfFrames = *volume.shape[1:], len(volume)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 3], 4
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = (
        Sequence([orientation]),
        Sequence([measures]),
    )
    frames = []
    for index, height in enumerate(heights):
        frame, position, scale = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, height]
        scale.RescaleSlope, scale.RescaleIntercept = index + 1, 0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = (
            Sequence([position]),
            Sequence([scale]),
        )
        frames.append(frame)
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = (
        Sequence([shared]),
        Sequence(frames),
    )
    return ds


def test_enhanced_frames_are_sorted_by_place_and_scaled_each(tmp_path: Path, dicom: Make) -> None:
    volume = np.random.default_rng(0).integers(0, 99, (3, 5, 4), dtype=np.uint16)
    image = read_image(put(frames_of(dicom, volume, [8.0, 0.0, 4.0]), tmp_path / "a"))
    np.testing.assert_array_equal(image.data[0], np.stack([volume[1] * 2, volume[2] * 3, volume[0]]))
    assert image.spacing == (4.0, 2.0, 3.0)
    assert image.axes == ("S", "P", "L")
    one = read_image(put(frames_of(dicom, volume[:1], [8.0]), tmp_path / "b"))
    assert one.grid == (5, 4)
    assert one.spacing == (2.0, 3.0)


def test_of_a_film_one_frame_is_read_and_said(tmp_path: Path, dicom: Make) -> None:
    values = np.stack([GREY, GREY + 1, GREY + 2, GREY + 3]).reshape(-1, 4)
    film = dicom(values, Rows=6, NumberOfFrames=4, Modality="US")
    path = put(film, tmp_path / "a")
    image = read_image(path)
    np.testing.assert_array_equal(image.data[0], GREY + 2)
    assert "4 frames came: frame 3 was taken" in dict(image.source.warnings)["one_frame_of_film"]
    assert image.source.meta["slices"][0][1] == 2
    asked = read_image(path, choices=Choices(film_frame=1))
    np.testing.assert_array_equal(asked.data[0], GREY)
    assert "one_frame_of_film" not in dict(asked.source.warnings)
    single = put(dicom(GREY, Modality="US"), tmp_path / "single")
    volume_in(tmp_path / "volume", dicom, [0, 2, 4])
    for other, what in ((single, "one picture"), (tmp_path / "volume", "3 slices")):
        with pytest.raises(UsageError, match=f"--film-frame: {what} came"):
            read_image(other, choices=Choices(film_frame=2))
    with pytest.raises(UsageError, match="5 came where the film has 4 frames"):
        read_image(path, choices=Choices(film_frame=5))
    film.RepresentativeFrameNumber = 4
    np.testing.assert_array_equal(read_image(put(film, tmp_path / "b")).data[0], GREY + 3)


def volume_in(folder: Path, dicom: Make, heights: list[float], **more: Any) -> None:
    folder.mkdir(exist_ok=True)
    for index, height in enumerate(heights):
        plane = np.full((4, 4), 100 + round(10 * height), np.int16)
        plane[0, 0] = 0
        elements = {**PLACE, "ImagePositionPatient": [0, 0, height], **more}
        put(dicom(plane, **elements), folder / f"{(index * 7) % 11:03d}")


def test_a_folder_is_sorted_by_place(tmp_path: Path, dicom: Make) -> None:
    (tmp_path / "deep").mkdir()
    volume_in(tmp_path / "deep", dicom, [6, 0, 2, 4])
    (tmp_path / "readme.txt").write_text("x")
    put(dicom(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", SeriesInstanceUID="9.9"), tmp_path / "sr")
    image = read_image(tmp_path)
    assert image.data[0, :, 1, 1].tolist() == [100, 120, 140, 160]
    assert image.spacing == (2.0, 0.5, 0.75)
    assert dict(image.source.warnings)["files_left_out"].startswith("2 files")
    shuffled = tmp_path / "other"
    shuffled.mkdir()
    for name, file in enumerate(sorted((tmp_path / "deep").iterdir(), reverse=True)):
        (shuffled / f"x{name}").write_bytes(file.read_bytes())
    again = read_image(shuffled)
    np.testing.assert_array_equal(again.data, image.data)
    assert again.source.sha256 == image.source.sha256


def test_a_folder_without_a_picture_says_what_it_holds(tmp_path: Path, dicom: Make) -> None:
    (tmp_path / "note.txt").write_text("x")
    put(dicom(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"), tmp_path / "sr")
    with pytest.raises(InputError, match="among 2 files; of the first object: a structured report"):
        read_image(tmp_path)


def test_a_damaged_slice_is_named_beside_the_message(tmp_path: Path, dicom: Make) -> None:
    folder = tmp_path / "a patient"
    folder.mkdir()
    volume_in(folder, dicom, [0, 2, 4])
    hurt = folder / "007"
    hurt.write_bytes(hurt.read_bytes()[:-20])
    with pytest.raises(InputError, match="truncated") as refused:
        read_image(folder)
    assert "patient" not in str(refused.value)
    assert refused.value.__notes__ == [str(hurt)]


@pytest.mark.parametrize(
    ("heights", "more", "words"),
    [
        ([0, 2, 4, 8], {}, "from 2 to 4 mm.*after slice 3"),
        ([0, 2, 4.03, 6.03], {}, "from 2 to 2.03 mm"),
        ([0, 2, 2, 4], {}, "lie at one position"),
    ],
)
def test_gaps_and_doubles_are_refused_with_numbers(
    tmp_path: Path, dicom: Make, heights: list[float], more: dict[str, Any], words: str
) -> None:
    volume_in(tmp_path, dicom, heights, **more)
    with pytest.raises(GeometryError, match=words):
        read_image(tmp_path)


def test_broken_orientations_are_refused_with_numbers(tmp_path: Path, dicom: Make) -> None:
    plane = np.ones((4, 4), np.int16)
    put(dicom(plane, **{**PLACE, "ImageOrientationPatient": [2, 0, 0, 0, 1, 0]}), tmp_path / "a")
    for path in (tmp_path, tmp_path / "a"):
        with pytest.raises(GeometryError, match="axes of length 2"):
            read_image(path)


def test_a_series_beyond_the_voxel_limit_is_refused_before_decoding(tmp_path: Path, dicom: Make) -> None:
    volume_in(tmp_path, dicom, [0, 2, 4])
    with pytest.raises(InputError, match="48 voxels where at most 47"):
        read_image(tmp_path, limits=Limits(voxels=47))


def test_nothing_of_the_header_that_names_somebody_is_kept(tmp_path: Path, dicom: Make, secret: str) -> None:
    image = read_image(put(dicom(GREY, BurnedInAnnotation="YES", **PLACE), tmp_path / "a"))
    assert secret not in json.dumps([dict(image.source.meta), image.source.warnings], default=str)
    assert "burned_in_text" in dict(image.source.warnings)


def test_libraries_say_nothing_of_the_header(
    tmp_path: Path,
    dicom: Make,
    secret: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ds = dicom(GREY, **PLACE)
    ds.save_as(tmp_path / "a")
    data = (tmp_path / "a").read_bytes().replace(b"1.2.3.4\0", secret[:8].encode())
    (tmp_path / "a").write_bytes(data)
    read_image(tmp_path / "a")
    caught = capfd.readouterr()
    assert secret[:8] not in caught.out + caught.err + caplog.text
