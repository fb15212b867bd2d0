"""Findings in DICOM's words: true where they are widened, never where something is denied."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.sr._concepts_dict import concepts as dictionary

from medsegr.io import dicom_sr, fhir
from medsegr.measure import measure
from medsegr.report import lexicon
from medsegr.report.parse import parse
from medsegr.results.coding import CATEGORIES, SIDES, WIDEST, maker_of, run_key, segments_of
from medsegr.reviews import Hints, Review
from medsegr.types import Code, FindingResult, Image, Result

MASK = np.zeros((20, 30), bool)
MASK[4:10, 5:20] = True
IMAGE = Image(np.zeros((1, 20, 30), np.float32), None, (0.5, 0.5), "CR", "patient")


def published(code: Code) -> bool:
    return any(code.value in versions for versions in dictionary[code.scheme].values())


def coded(text: str, image: Image = IMAGE, reason: str | None = None) -> Any:
    """Segments of a report; present findings get a mask."""
    report = parse(text, modality=image.modality, frame=image.frame_told)
    results = []
    for finding in report.findings:
        drawn = finding.polarity == "present" and reason is None
        numbers = measure(image, MASK) if drawn else None
        status = "segmented" if drawn else "skipped"
        results.append(
            FindingResult(finding, status, reason, MASK if drawn else None, measurements=numbers)  # type: ignore[arg-type]
        )
    result = Result(image, report, tuple(results), {"name": "m", "sha256": "ab"})
    return segments_of(result, "key")


def test_a_finding_has_its_own_code_its_place_and_its_side() -> None:
    (found,) = coded("Pleural effusion in the left lung.")
    assert published(found.kind)
    assert found.category == CATEGORIES["finding"]
    assert found.site == lexicon.concept("lung").code
    assert found.side == SIDES["left"]
    assert found.name == "pleural effusion (left)"
    assert found.ends is not None
    assert found.measurements["area"].value == pytest.approx(90 * 0.25)


def test_a_finding_keeps_the_words_that_asked_for_it_and_who_drew_it() -> None:
    (found,) = coded("Pleural effusion in the left lung.")
    assert (found.phrase, found.drawn_by) == ("Pleural effusion in the left lung", "AUTOMATIC")


@pytest.mark.parametrize(
    ("review", "drawn_by"),
    [
        (Review(accepted=True), "AUTOMATIC"),
        (Review((Hints(points=((1.0, 2.0, 1),)),)), "SEMIAUTOMATIC"),
        (Review(revision=2), "SEMIAUTOMATIC"),
    ],
)
def test_what_a_person_corrected_is_no_program_s_alone(review: Review, drawn_by: str) -> None:
    finding = parse("Nodule.").findings[0]
    item = FindingResult(finding, "segmented", None, MASK, review=review)
    (found,) = segments_of(Result(IMAGE, None, (item,), {}), "key", ends=False)
    assert found.drawn_by == drawn_by


def test_an_organ_is_the_type_itself() -> None:
    (found,) = coded("Outline the right lung.")
    assert (found.category, found.kind) == (CATEGORIES["anatomy"], lexicon.concept("lung").code)
    assert (found.site, found.side) == (None, SIDES["right"])


def uncoded() -> str:
    """A concept of the chest that DICOM has no code for."""
    return next(
        name
        for name, c in lexicon.concepts().items()
        if c.kind == "finding" and c.code is None and c.field == "chest" and c.drawable
    )


def test_what_is_there_is_widened_and_what_is_not_is_never() -> None:
    name = uncoded()
    there = [s for s in coded(f"There is {name}.") if s.name == name]
    assert there
    assert published(there[0].kind)
    gone = [s for s in coded(f"There is no {name}.") if s.name == name]
    assert gone
    assert gone[0].presence == "absent"
    assert gone[0].kind == Code("99MEDSEGR", name, name)


def test_a_side_of_the_picture_is_no_side_of_the_body() -> None:
    viewer = replace(IMAGE, modality="ES", frame="viewer")
    for found in coded("Polyp on the left.", viewer):
        assert found.side is None
        assert "left" not in found.name


def test_a_side_of_the_body_is_told_whoever_describes_the_picture() -> None:
    source = replace(IMAGE.source, frame_from="modality")
    image = replace(IMAGE, modality="US", frame="viewer", source=source)
    (found,) = coded("A mass in the left breast.", image)
    assert (found.side, found.name) == (SIDES["left"], "breast mass (left)")


def test_the_side_of_a_limb_is_one_of_the_body() -> None:
    (segment,) = coded("XR LEFT WRIST\nOsteomyelitis.")
    assert segment.side == SIDES["left"]


@pytest.mark.parametrize("reason", ["prior", "not_this_patient"])
def test_an_earlier_study_and_a_relative_are_left_out(reason: str) -> None:
    assert coded("Nodule in the left lung.", reason=reason) == ()


def test_ids_are_the_same_twice_and_differ_between_runs() -> None:
    (one,) = coded("Nodule in the left lung.")
    (two,) = coded("Nodule in the left lung.")
    assert one.uid == two.uid
    assert one.uid.startswith("2.25.")
    assert len(one.uid) <= 64
    assert run_key("a", None, "b") != run_key("a", "", "b") != run_key("a", "c", "b")


def test_every_code_in_the_house_is_published() -> None:
    told = [
        *CATEGORIES.values(),
        *WIDEST.values(),
        *SIDES.values(),
        *fhir.PRESENCE.values(),
        *fhir.CODES.values(),
    ]
    told += [Code(*triple) for triple in dicom_sr.PROCEDURES.values()]
    assert not [code for code in told if not published(code)]


def test_the_maker_says_what_it_is_for() -> None:
    result = Result(IMAGE, None, (), {"name": "m", "sha256": None})
    made = maker_of(result, "1.2")
    assert (made.model, made.model_sha256, made.version) == ("m", "", "1.2")
    assert "Not a medical device" in made.notice
