"""Header, report and pixels about the kind of image."""

import numpy as np
import pytest

from medsegr import pipeline
from medsegr.io.read import image_from_array
from medsegr.modality import likeness
from medsegr.registry import create
from medsegr.report.parse import parse
from medsegr.types import Image, Source

GREY = np.random.default_rng(0).normal(0, 400, (1, 20, 20)).astype(np.float32)
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(np.float32)


def image(modality: str | None, data: np.ndarray = GREY, kind: str = "dicom") -> Image:
    return Image(data, modality=modality, source=Source(kind=kind))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("CT CHEST WITHOUT CONTRAST\nFINDINGS: A nodule.", {"CT"}),
        ("TECHNIQUE: Axial T2 weighted MRI of the brain.\nFINDINGS: A mass.", {"MR"}),
        ("EXAMINATION: Chest radiograph, PA and lateral.\nFINDINGS: Opacity.", {"CR"}),
        ("PET/CT of the whole body\nFINDINGS: A nodule.", {"PT", "CT"}),
        ("Colonoscopy report\nFINDINGS: A polyp.", {"ES"}),
        ("EXAMINATION: Chest x-ray.\nCOMPARISON: CT of last year.\nFINDINGS: A nodule.", {"CR"}),
        ("EXAMINATION: Chest x-ray. Compared with prior CT.\nFINDINGS: A nodule.", {"CR"}),
        ("CT chest: A nodule in the left lung.", {"CT"}),
        ("Fundus photograph. Outline the vessels.", {"OP"}),
        ("Breast ultrasound. Solid mass.", {"US"}),
        ("Doppler of the neck: no plaque.", {"US"}),
        ("Nodule seen on CT. It is unchanged.", set()),
        ("The mass is known from MRI. Small effusion.", set()),
        ("FINDINGS: A nodule. CT is recommended.", set()),
        ("There is a nodule in the left lung. Recommend CT.", set()),
        ("", set()),
    ],
)
def test_the_report_names_its_kind_of_image(text: str, named: set[str]) -> None:
    assert likeness.report_modalities(parse(text)) == named


def test_a_report_of_another_kind_warns() -> None:
    report = parse("MRI OF THE BRAIN\nFINDINGS: A mass.")
    assert dict(likeness.mismatches(image("CT"), report))["modality_report"].startswith(
        "the image is CT, the report speaks of MR"
    )
    assert likeness.mismatches(image("MR"), report) == ()
    assert likeness.mismatches(image(None), report) == ()


@pytest.mark.parametrize(
    ("modality", "data", "word"),
    [
        ("CT", COLOUR, "coloured"),
        ("CR", COLOUR, "coloured"),
        ("ES", GREY, "grey"),
        ("DMS", GREY, "grey"),
        ("CR", np.zeros((1, 4, 20, 20), np.float32), "a volume of 4 x 20 x 20"),
        ("CT", np.floor(np.abs(GREY) % 256), "no Hounsfield units"),
        ("CT", GREY, None),
        ("MR", np.abs(GREY) % 256, None),
        ("US", COLOUR, None),
        ("US", GREY, None),
        ("OP", GREY, None),
        ("ES", COLOUR, None),
        ("CR", np.repeat(GREY, 3, axis=0), None),
    ],
)
def test_pixels_that_do_not_fit(modality: str, data: np.ndarray, word: str | None) -> None:
    found = dict(likeness.mismatches(image(modality, data), None))
    assert list(found) == ([] if word is None else ["modality_pixels"])
    assert word is None or word in found["modality_pixels"]


def test_a_windowed_picture_of_ct_is_what_it_is() -> None:
    assert likeness.looks_unlike(image("CT", np.abs(GREY) % 256, "png")) is None


def test_a_coloured_label_in_a_corner_is_no_colour_picture() -> None:
    data = np.repeat(np.abs(GREY), 3, axis=0)
    data[0, 0, :3] = 5000
    assert likeness.looks_unlike(image("CR", data)) is None


@pytest.mark.parametrize(
    ("modality", "data", "has"),
    [
        ("CR", GREY, True),
        ("MG", np.repeat(GREY, 3, axis=0), True),
        (None, GREY, True),
        ("US", GREY, False),
        (None, COLOUR, False),
        ("CR", np.repeat(GREY[:, None], 4, axis=1), False),  # a volume
    ],
)
def test_radiographs_have_a_negative(modality: str | None, data: np.ndarray, has: bool) -> None:
    before = image(modality, data)
    other = likeness.negative(before)
    assert (other is not None) == has
    if other is not None:
        assert other.data.dtype == np.float32
        assert (other.data.min(), other.data.max()) == pytest.approx((data.min(), data.max()))
        assert np.allclose(other.data + before.data, (other.data + before.data).flat[0])
        again = likeness.negative(other)
        assert again is not None
        assert np.allclose(again.data, before.data, atol=1e-3)


def test_the_run_says_it() -> None:
    result = pipeline.run(image("ES"), create("threshold"), report="CT ABDOMEN\nFINDINGS: A polyp.")
    assert {"modality_report", "modality_pixels"} <= set(dict(result.warnings))


def on_black() -> np.ndarray:
    """A grey body with a bright bone and a little air, on black."""
    rows, cols = np.mgrid[:100, :120]
    body = ((rows - 50) / 35) ** 2 + ((cols - 60) / 45) ** 2 <= 1
    shown = np.where(body, 100 + rows // 2, 0)
    shown[70:80, 45:75] = 255
    shown[40:60, 50:60] = 10
    return shown.astype(np.uint8)


@pytest.mark.parametrize("modality", ["CT", "MR", "MG"])
def test_a_slice_on_white_is_a_negative(modality: str) -> None:
    assert likeness.white_ground(image_from_array(255 - on_black(), modality=modality))
    assert not likeness.white_ground(image_from_array(on_black(), modality=modality))


def test_white_margins_make_no_negative() -> None:
    for width in (5, 20, 60):
        shown = np.pad(on_black(), width, constant_values=255)
        assert not likeness.white_ground(image_from_array(shown, modality="CT"))


def test_a_thin_white_frame_around_grey_is_no_white_ground() -> None:
    grey = np.full((80, 80), 128, np.uint8)
    grey[38:42] = 0
    assert not likeness.white_ground(image_from_array(np.pad(grey, 2, constant_values=255), modality="CT"))
    assert likeness.white_ground(image_from_array(np.pad(grey, 20, constant_values=255), modality="CT"))


def test_white_ground_is_asked_of_kinds_that_stand_on_black_alone() -> None:
    shown = 255 - on_black()
    for modality in ("US", "CR", "PT", "SM", None):
        assert not likeness.white_ground(image_from_array(shown, modality=modality))
    assert not likeness.white_ground(image_from_array(np.full((40, 40), 9, np.uint8), modality="CT"))
    volume = image_from_array(np.stack([shown] * 4), modality="CT", spacing=(1, 1, 1))
    assert not likeness.white_ground(volume)


@pytest.mark.parametrize(
    ("modality", "kind", "data", "hounsfield"),
    [
        ("CT", "dicom", GREY, True),
        ("CT", "nifti", np.floor(np.abs(GREY) % 256), True),
        ("CT", "png", np.abs(GREY) % 256, False),
        ("CT", "png", np.abs(GREY) + 300, False),  # sixteen bits of a window
        ("CT", "tiff", GREY - 1000, True),
        ("CT", "array", np.abs(GREY) % 256, True),
        ("MR", "nifti", GREY, False),
    ],
)
def test_hounsfield_units_are_those_of_a_ct_and_no_grey_values(
    modality: str, kind: str, data: np.ndarray, hounsfield: bool
) -> None:
    assert likeness.in_hounsfield(image(modality, data, kind)) is hounsfield
