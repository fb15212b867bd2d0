"""What nobody said of an image, by the words: its kind, and whose left is meant."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from medsegr.io.read import image_from_array
from medsegr.modality import supposing
from medsegr.report.parse import parse, parse_phrase
from medsegr.types import Finding, Image, Report

GREY = np.random.default_rng(0).integers(0, 256, (1, 20, 20)).astype(np.float32)
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(np.float32)
TRAINED: Mapping[str, Sequence[str]] = {
    "retinal vessels": ("OP",),
    "polyp": ("ES",),
    "nucleus": ("GM", "SM"),
    "lung": ("CR",),
    "nodule": ("CR", "CT"),
    "liver": ("CT",),
}


def known(finding: Finding, modality: str | None) -> bool:
    seen = TRAINED.get(finding.name)
    return seen is not None and (modality is None or modality in seen)


def model(*likely: str, made: Sequence[str] = (), cases: int = supposing.FEW) -> supposing.Knowledge:
    """Pictures look like ``likely``; concepts ``made`` were learned from made ones, others from ``cases``."""
    return supposing.Knowledge(
        known,
        lambda one, code: 0 if one.name in made or not known(one, code) else cases,
        lambda image: image.modality in likely,
    )


def taken(data: np.ndarray, words: Report, knows: supposing.Knowledge | None = None) -> str | None:
    found = supposing.supposed(Image(data), words, knows or model())
    return None if found is None else found[0].modality


def asked(*phrases: str) -> Report:
    return Report("", findings=tuple(f for phrase in phrases for f in parse_phrase(phrase).findings))


@pytest.mark.parametrize(
    ("phrases", "data", "modality"),
    [
        (("retinal vessels",), COLOUR, "OP"),
        (("retinal vessels",), GREY, "OP"),  # red-free
        (("polyp",), GREY, "ES"),
        (("left lung", "right lung"), GREY, "CR"),
        (("left lung",), COLOUR, None),  # no radiograph
        (("lung", "nodule"), GREY, "CR"),  # the one in which both are known
        (("nodule",), GREY, None),  # two are left
        (("lung", "liver"), GREY, None),  # none is left
        (("lung", "thyroid nodule"), GREY, "CR"),  # what the model does not know has no say
        (("nuclei",), GREY, "GM"),
        (("nuclei",), COLOUR, "SM"),
        (("thyroid nodule",), GREY, None),
        ((), GREY, None),
    ],
)
def test_what_is_asked_for_tells_the_kind(
    phrases: tuple[str, ...], data: np.ndarray, modality: str | None
) -> None:
    assert taken(data, asked(*phrases)) == modality


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("CT CHEST\nFINDINGS: A nodule in the left lung.", "CT"),
        ("PET/CT\nFINDINGS: A nodule in the left lung.", None),  # it names two
        ("COLONOSCOPY\nFINDINGS: A polyp.", "ES"),
        ("EXAM: US breast\nFINDINGS: A mass.", "US"),
        ("Please tell us more.\nFINDINGS: A mass.", None),
        ("FINDINGS: No polyp. A liver lesion. The left lung is collapsed.", None),
        ("FINDINGS: A sessile polyp. No pulmonary nodule.", "ES"),  # what is denied has no say
    ],
)
def test_the_report_tells_the_kind(text: str, modality: str | None) -> None:
    assert taken(GREY, parse(text)) == modality


def test_a_kind_that_the_pixels_cannot_be_of_is_not_taken_from_the_title() -> None:
    assert taken(COLOUR, parse("CT CHEST\nFINDINGS: A nodule in the left lung.")) is None


def test_a_volume_is_no_picture() -> None:
    volume = np.zeros((1, 6, 20, 20), np.float32)
    assert taken(volume, asked("polyp")) is None
    assert taken(volume, asked("liver")) == "CT"


def test_what_was_told_stays() -> None:
    assert supposing.supposed(Image(GREY, modality="US"), asked("polyp"), model()) is None


def test_the_frame_follows_unless_it_was_told() -> None:
    plain = image_from_array(COLOUR[0])
    assert plain.source.frame_from == "assumed"
    found = supposing.supposed(plain, asked("polyp"), model())
    assert found is not None
    image, (code, text) = found
    assert (image.frame, image.source.frame_from) == ("viewer", "modality")
    assert code == "modality_supposed"
    assert "ES" in text
    flagged = image_from_array(COLOUR[0], frame="patient")
    other = supposing.supposed(flagged, asked("polyp"), model())
    assert other is not None
    assert (other[0].frame, other[0].source.frame_from) == ("patient", "flag")


def test_whose_left_follows_what_is_named() -> None:
    image = image_from_array(GREY[0])
    assert supposing.framed(image, asked("polyp")).frame == "viewer"
    assert supposing.framed(image, asked("polyp", "left lung")).frame == "patient"
    flagged = image_from_array(GREY[0], frame="patient")
    assert supposing.framed(flagged, asked("polyp")).frame == "patient"


@pytest.mark.parametrize(
    ("phrases", "data", "likely", "made", "modality"),
    [
        (("thyroid nodule",), GREY, ("US",), (), "US"),  # nothing else tells
        (("nodule",), GREY, ("CT",), (), "CT"),  # the words leave two
        (("polyp",), GREY, ("US",), (), "US"),  # who asks an ultrasound for a polyp gets none
        (("polyp",), GREY, ("US", "CT"), (), None),
        (("polyp",), COLOUR, ("ES", "OP"), (), "ES"),  # one of those that it looks like
        (("polyp",), COLOUR, ("OP",), (), "OP"),
        (("polyp",), COLOUR, (), (), "ES"),
        (("polyp",), GREY, ("US",), ("polyp",), "US"),  # the name was learned from made pictures
        (("polyp",), GREY, (), ("polyp",), "ES"),
        (("thyroid nodule",), GREY, ("US", "CT"), (), None),  # two are no answer
        (("thyroid nodule",), COLOUR, ("CT", "MR"), (), None),  # these are grey
        (("thyroid nodule",), COLOUR, ("CT", "US"), (), "US"),
        (("thyroid nodule",), COLOUR, ("US", "ES"), (), None),  # two are no answer
        (("thyroid nodule",), GREY, ("ES", "OP"), (), None),
        (("thyroid nodule",), COLOUR, ("GM", "SM"), (), "SM"),
        ((), GREY, ("US",), (), None),  # nothing is asked
    ],
)
def test_the_look_of_a_picture_tells_where_words_do_not(
    phrases: tuple[str, ...],
    data: np.ndarray,
    likely: tuple[str, ...],
    made: tuple[str, ...],
    modality: str | None,
) -> None:
    assert taken(data, asked(*phrases), model(*likely, made=made)) == modality


def test_the_look_says_little_of_what_was_learned_from_few_cases() -> None:
    assert taken(COLOUR, asked("polyp"), model("OP", cases=supposing.FEW - 1)) == "ES"


def test_a_title_is_firmer_than_the_look() -> None:
    assert taken(GREY, parse("CT CHEST\nFINDINGS: A thyroid nodule."), model("US")) == "CT"


def test_why_a_kind_was_taken_is_said() -> None:
    found = supposing.supposed(Image(GREY), asked("thyroid nodule"), model("US"))
    assert found is not None
    assert "looks" in found[1][1]
    assert found[0].source.meta["modality_from"] == "look"
    named = supposing.supposed(Image(GREY), parse("CT CHEST\nFINDINGS: A nodule."), model())
    assert named is not None
    assert named[0].source.meta["modality_from"] == "words"
