"""One object of every kind that scanners and archives write: values, sides, spacing, warnings."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import compress
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000, ExplicitVRBigEndian, HTJ2KLossless, JPEGLSLossless, RLELossless

from medsegr.errors import InputError
from medsegr.grid.planes import patient_left
from medsegr.io.read import read_image

Make = Callable[..., Any]
CLASS = "1.2.840.10008.5.1.4.1.1."
GREY = np.random.default_rng(5).integers(0, 4096, (6, 4), dtype=np.uint16)
RGB = np.random.default_rng(6).integers(0, 256, (6, 4, 3), dtype=np.uint8)
PLACE = {
    "ImagePositionPatient": [-10, -20, 30],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.75],
}


def put(ds: Any, path: Path) -> Path:
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    ("modality", "sop_class", "colour", "told"),
    [
        ("CR", "1", False, ("CR", "patient")),
        ("DX", "1.1", False, ("CR", "patient")),
        ("MG", "1.2", False, ("MG", "patient")),
        ("IO", "1.3", False, ("CR", "patient")),
        ("CT", "2", False, ("CT", "patient")),
        ("US", "6.1", True, ("US", "viewer")),
        ("MR", "4", False, ("MR", "patient")),
        ("OT", "7", True, (None, "patient")),
        ("XA", "12.1", False, ("XA", "patient")),
        ("RF", "12.2", False, ("CR", "patient")),
        ("ES", "77.1.1", True, ("ES", "viewer")),
        ("GM", "77.1.2", True, ("GM", "viewer")),
        ("XC", "77.1.4", True, ("DMS", "viewer")),
        ("OP", "77.1.5.1", True, ("OP", "viewer")),
        ("PT", "128", False, ("PT", "patient")),
    ],
)
def test_every_kind_is_read_in_its_frame(
    tmp_path: Path, dicom: Make, modality: str, sop_class: str, colour: bool, told: tuple[str | None, str]
) -> None:
    ds = dicom(RGB if colour else GREY, Modality=modality, SOPClassUID=CLASS + sop_class)
    image = read_image(put(ds, tmp_path / "a"))
    assert (image.modality, image.frame) == told
    np.testing.assert_array_equal(image.data, np.moveaxis(RGB, -1, 0) if colour else GREY[None])


def test_a_whole_slide_is_refused_with_advice(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(RGB, Modality="SM", SOPClassUID=CLASS + "77.1.6")
    with pytest.raises(InputError, match=r"whole slide.*export the wanted region"):
        read_image(put(ds, tmp_path / "a"))


@pytest.mark.parametrize("signed", [False, True])
def test_overlays_in_the_high_bits_are_cut_off(tmp_path: Path, dicom: Make, signed: bool) -> None:
    values = (GREY & 0x0FFF).astype(np.int32)
    if signed:
        values = values - 2048
    stored = (values & 0x0FFF) | (np.arange(24).reshape(6, 4) % 16 << 12)
    ds = dicom(
        stored.astype(np.uint16), BitsStored=12, HighBit=11, PixelRepresentation=int(signed), Modality="MR"
    )
    np.testing.assert_array_equal(read_image(put(ds, tmp_path / "a")).data[0], values)


@pytest.mark.parametrize("signed", [False, True])
def test_values_in_the_upper_bits_are_moved_down(tmp_path: Path, dicom: Make, signed: bool) -> None:
    """Old objects keep 12 bits in the upper part of 16, HighBit 15 (or 13), and anything below."""
    values = GREY.astype(np.int32) - (2048 if signed else 0)
    for high in (15, 13):
        shift = high + 1 - 12
        stored = ((values & 0x0FFF) << shift) | 3
        ds = dicom(stored.astype(np.uint16), BitsStored=12, HighBit=high, PixelRepresentation=int(signed))
        np.testing.assert_array_equal(read_image(put(ds, tmp_path / "a")).data[0], values)


def test_every_slice_has_its_own_rescale(tmp_path: Path, dicom: Make) -> None:
    """PET scales each slice; one slope for all would be a silent factor."""
    for index in range(3):
        ds = dicom(
            np.full((4, 4), 7, np.uint16) + np.eye(4, dtype=np.uint16),
            Modality="PT",
            SOPClassUID=CLASS + "128",
            RescaleSlope=index + 0.5,
            RescaleIntercept=0,
            **{**PLACE, "ImagePositionPatient": [0, 0, 3 * index]},
        )
        put(ds, tmp_path / f"{2 - index}")
    assert read_image(tmp_path).data[0, :, 0, 1].tolist() == [3.5, 10.5, 17.5]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2, -100)])
@pytest.mark.parametrize("signed", [False, True])
def test_the_window_is_never_applied_and_the_values_are_exact(
    tmp_path: Path, dicom: Make, photometric: str, slope: int, intercept: int, signed: bool
) -> None:
    values = (GREY.astype(np.int32) - (2048 if signed else 0)).astype(np.int16 if signed else np.uint16)
    ds = dicom(
        values,
        BitsStored=12,
        HighBit=11,
        PhotometricInterpretation=photometric,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=100,
        WindowWidth=50,
        Modality="CR",
    )
    image = read_image(put(ds, tmp_path / "a"))
    told = values.astype(float) * slope + intercept
    low, high = (-2048, 2047) if signed else (0, 4095)
    if photometric == "MONOCHROME1":
        told = (low + high) * slope + 2 * intercept - told
    np.testing.assert_array_equal(image.data[0], told)
    window = image.source.meta["window"]
    assert window[1] - window[0] == 49


def test_a_voi_lut_is_a_hint_only(tmp_path: Path, dicom: Make) -> None:
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [256, 100, 8])
    lut.add_new("LUTData", "OW", bytes(range(256)))
    image = read_image(put(dicom(GREY, VOILUTSequence=Sequence([lut])), tmp_path / "a"))
    np.testing.assert_array_equal(image.data[0], GREY)
    assert image.source.meta["window"] == (100, 355)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_planar_configuration_and_colour(tmp_path: Path, dicom: Make, planar: int, photometric: str) -> None:
    stored = np.moveaxis(RGB, -1, 0) if planar else RGB
    ds = dicom(
        RGB,
        Modality="ES",
        PlanarConfiguration=planar,
        PhotometricInterpretation=photometric,
        PixelData=stored.tobytes(),
    )
    image = read_image(put(ds, tmp_path / "a"))
    if photometric == "RGB":
        np.testing.assert_array_equal(image.data, np.moveaxis(RGB, -1, 0))
    else:
        y, cr = RGB[..., 0].astype(float), RGB[..., 2].astype(float)
        red = np.clip(np.round(y + 1.402 * (cr - 128)), 0, 255)
        np.testing.assert_allclose(image.data[0], red, atol=1)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000, ExplicitVRBigEndian])
def test_colour_and_grey_of_other_syntaxes(tmp_path: Path, dicom: Make, syntax: str) -> None:
    big = np.tile(GREY, (12, 12))
    ds = dicom(big)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = big.astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = syntax
        dcmwrite(tmp_path / "a", ds, implicit_vr=False, little_endian=False, force_encoding=True)
    elif syntax == JPEGLSLossless:
        pytest.importorskip("pylibjpeg")
        pytest.importorskip("jpeg_ls", reason="JPEG-LS needs pyjpegls to be written")
        compress(ds, syntax)
        put(ds, tmp_path / "a")
    else:
        compress(ds, syntax, **({"j2k_psnr": [80]} if syntax == JPEG2000 else {}))
        put(ds, tmp_path / "a")
    np.testing.assert_allclose(read_image(tmp_path / "a").data[0], big, atol=30 if syntax == JPEG2000 else 0)


def test_a_film_in_a_film_codec_is_refused_with_advice(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(RGB, Modality="ES", syntax="1.2.840.10008.1.2.4.102")
    ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    with pytest.raises(InputError, match=r"MPEG, H\.264 or HEVC.*save the"):
        read_image(put(ds, tmp_path / "a"))


def region(kind: int, across: float, down: float) -> Dataset:
    found = Dataset()
    found.RegionSpatialFormat = kind
    found.PhysicalUnitsXDirection = found.PhysicalUnitsYDirection = 3
    found.PhysicalDeltaX, found.PhysicalDeltaY = across, down
    return found


def test_ultrasound_regions_of_spectra_do_not_set_the_scale(tmp_path: Path, dicom: Make) -> None:
    regions = [region(1, 0.02, 0.03), region(3, 0.5, 0.5)]
    ds = dicom(RGB, Modality="US", SequenceOfUltrasoundRegions=Sequence(regions))
    image = read_image(put(ds, tmp_path / "a"))
    assert image.spacing == (0.3, 0.2)
    ds.SequenceOfUltrasoundRegions = Sequence([region(1, 0.02, 0.03), region(1, 0.04, 0.06)])
    image = read_image(put(ds, tmp_path / "b"))
    assert image.spacing is None
    assert "2 different scales" in dict(image.source.warnings)["several_scales"]


@pytest.mark.parametrize(
    ("told", "warned"),
    [({}, True), ({"BurnedInAnnotation": "NO"}, False), ({"BurnedInAnnotation": "YES"}, True)],
)
@pytest.mark.parametrize(
    "kind", [{"Modality": "US"}, {"Modality": "OT", "SOPClassUID": CLASS + "7"}], ids=["US", "SC"]
)
def test_burned_in_text_warns(
    tmp_path: Path, dicom: Make, kind: dict[str, str], told: dict[str, str], warned: bool
) -> None:
    image = read_image(put(dicom(RGB, **kind, **told), tmp_path / "a"))
    assert ("burned_in_text" in dict(image.source.warnings)) is warned


def test_photographs_and_ct_do_not_warn_of_text(tmp_path: Path, dicom: Make) -> None:
    for index, kind in enumerate(({"Modality": "OP", "SOPClassUID": CLASS + "77.1.5.1"}, {"Modality": "CT"})):
        image = read_image(put(dicom(GREY, **kind), tmp_path / str(index)))
        assert "burned_in_text" not in dict(image.source.warnings)


@pytest.mark.parametrize(
    ("angle", "left"), [(0, "right"), (30, "right"), (-90, None), (88, None), (180, "right"), (270, None)]
)
def test_an_angiography_from_the_side_has_no_left_and_right(
    tmp_path: Path, dicom: Make, angle: float, left: str | None
) -> None:
    ds = dicom(GREY, Modality="XA", PositionerPrimaryAngle=angle)
    assert patient_left(read_image(put(ds, tmp_path / "a"))) == left


def test_a_legacy_film_of_slices_with_one_place_is_a_film(tmp_path: Path, dicom: Make) -> None:
    """A classic multi-frame object with one position: its frames are no volume."""
    ds = dicom(np.tile(GREY, (3, 1)), Rows=6, NumberOfFrames=3, Modality="XA", **PLACE)
    image = read_image(put(ds, tmp_path / "a"))
    assert image.grid == (6, 4)
    assert "one_frame_of_film" in dict(image.source.warnings)


def enhanced(dicom: Make, frames: list[tuple[float, dict[str, Any]]], **more: Any) -> Any:
    volume = np.stack([np.full((5, 4), 10 + i, np.uint16) for i in range(len(frames))])
    volume[:, 0, 0] = 1
    ds = dicom(volume.reshape(-1, 4), Modality="MR", SOPClassUID=CLASS + "4.1", **more)
    ds.Rows, ds.Columns, ds.NumberOfFrames = 5, 4, len(frames)
    groups = []
    for height, told in frames:
        frame, position, orientation, measures, content = (Dataset() for _ in range(5))
        position.ImagePositionPatient = [0, 0, height]
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing, measures.SliceThickness = [2, 3], 4
        for name, value in told.items():
            setattr(content, name, value)
        frame.PlanePositionSequence = Sequence([position])
        frame.PlaneOrientationSequence = Sequence([orientation])
        frame.PixelMeasuresSequence = Sequence([measures])
        frame.FrameContentSequence = Sequence([content])
        groups.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return ds


def test_time_points_of_an_enhanced_object_are_split(tmp_path: Path, dicom: Make) -> None:
    frames = [(h, {"TemporalPositionIndex": t}) for t, h in itertools.product((1, 2), (4.0, 0.0, 8.0))]
    image = read_image(put(enhanced(dicom, frames), tmp_path / "a"))
    assert image.data[0, :, 1, 1].tolist() == [11, 10, 12]
    assert "series_chosen" in dict(image.source.warnings)
    stacks = [(h, {"StackID": s}) for s, h in itertools.product("12", (0.0, 4.0))]
    image = read_image(put(enhanced(dicom, stacks), tmp_path / "b"))
    assert image.grid == (2, 5, 4)


def test_an_enhanced_object_written_by_highdicom_is_read(tmp_path: Path, dicom: Make) -> None:
    """The legacy conversion of highdicom: another writer's functional groups."""
    legacy = pytest.importorskip("highdicom.legacy")
    slices = []
    for index in range(3):
        ds = dicom(
            np.full((4, 6), 5 + index, np.int16) + np.eye(4, 6, dtype=np.int16),
            **{**PLACE, "ImagePositionPatient": [1, 2, 3 + 2.5 * index]},
            StudyInstanceUID="1.2.3",
            FrameOfReferenceUID="1.2.4",
            InstanceNumber=index + 1,
            SeriesNumber=1,
            RescaleSlope=1,
            RescaleIntercept=-3,
            RescaleType="HU",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            AccessionNumber="",
            StudyDate="20200101",
            StudyTime="101010",
            StudyID="",
            Manufacturer="made",
            SliceThickness=2.5,
        )
        slices.append(put(ds, tmp_path / f"s{index}"))
    import pydicom

    sources = [pydicom.dcmread(path) for path in slices]
    try:
        written = legacy.LegacyConvertedEnhancedCTImage(sources, "1.2.9", 9, "1.2.9.1", 1)
    except (AttributeError, KeyError, TypeError) as error:
        pytest.skip(f"highdicom does not convert what was made here: {type(error).__name__}")
    written.save_as(tmp_path / "mf")
    image = read_image(tmp_path / "mf")
    assert image.data[0, :, 0, 1].tolist() == [2, 3, 4]
    assert image.spacing == (2.5, 0.5, 0.75)


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.994", "1.2.840.113619.5.2.1"]
)
def test_a_compression_that_is_not_decoded_is_called_so(syntax: str, tmp_path: Path, dicom: Make) -> None:
    """JPEG XL, one of tomorrow, a private one: not damaged, but unknown to the decoders."""
    ds = dicom(np.zeros((4, 4), np.uint16), syntax=HTJ2KLossless)
    ds.PixelData = encapsulate([b"\xff\x0a" * 9])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "a", enforce_file_format=True)
    data = (tmp_path / "a").read_bytes()
    padded = syntax.encode().ljust(len(HTJ2KLossless), b"\0")
    (tmp_path / "a").write_bytes(data.replace(str(HTJ2KLossless).encode(), padded))
    with pytest.raises(InputError, match="stored in a way that is not decoded here"):
        read_image(tmp_path / "a")


def test_a_picture_of_nothing_but_padding_stays(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(np.full((6, 5), -2000, np.int16), Modality="CT", PixelPaddingValue=-2000)
    image = read_image(put(ds, tmp_path / "a"))
    assert (image.data == -2000).all()
    assert "constant_image" in dict(image.source.warnings)


def test_a_slope_of_nothing_says_nothing(tmp_path: Path, dicom: Make) -> None:
    ds = dicom(GREY, Modality="MR", RescaleSlope=0, RescaleIntercept=-3)
    np.testing.assert_array_equal(read_image(put(ds, tmp_path / "a")).data[0], GREY - 3.0)
