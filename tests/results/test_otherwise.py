"""What is told of the image itself: that it may be mirrored. (Negatives: ``tests/test_pipeline.py``.)"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medsegr import pipeline
from medsegr.options import Options
from medsegr.results.otherwise import otherwise
from medsegr.types import Check, Finding, FindingResult, Image, Prompt, Segmentation

GRID = (80, 100)


class Reader:
    """Draws lungs at both sides, a heart whose lower half lies at column ``heart`` of the usual view, and
    anything else in the middle; of ``unseen`` it says that it is not there."""

    def __init__(self, heart: int = 60, unseen: str = "", unknown: str = "") -> None:
        self.card = {"name": "reader", "presence_threshold": 0.5}
        self.heart, self.unseen, self.unknown = heart, unseen, unknown
        self.asked: list[str] = []

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        return finding.name != self.unknown

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        turned = image.axes is not None and image.axes[1] == "R"  # its columns run to the right
        for k, finding in enumerate(prompt.findings):
            self.asked.append(finding.name)
            mask = prob[k]
            if finding.name == "lung":
                mask[..., 10:60, 10:40] = finding.location.side == "right"
                mask[..., 10:60, 61:91] = finding.location.side == "left"
            elif finding.name == "cardiomediastinum":
                mask[..., 20:40, 45:56] = 1
                mask[..., 41:61, self.heart - 10 : self.heart + 11] = 1
            else:
                mask[..., 30:50, 20:40] = 1
            if turned:
                mask[:] = mask[..., ::-1].copy()
        seen = np.array([f.name != self.unseen for f in prompt.findings], np.float32)
        return Segmentation(prob, prompt.targets, image.affine, {"presence": seen})


def film(**more: Any) -> Image:
    data = np.linspace(0, 255, GRID[0] * GRID[1], dtype=np.float32).reshape(1, *GRID)
    return replace(Image(data, None, None, "CR", "patient"), **more)


def volume() -> Image:
    data = np.linspace(0, 255, 3 * GRID[0] * GRID[1], dtype=np.float32).reshape(1, 3, *GRID)
    return Image(data, None, None, "CR", "patient", ("P", "I", "L"))


def warned(image: Image, model: Any, phrase: str = "opacity", **options: Any) -> str | None:
    result = pipeline.run(image, model, phrases=[phrase], options=Options(**options))
    return dict(result.warnings).get("looks_mirrored")


@pytest.mark.parametrize(("heart", "told"), [(60, False), (53, False), (50, False), (48, False), (40, True)])
def test_a_film_whose_heart_leans_to_the_right_is_told(heart: int, told: bool) -> None:
    said = warned(film(), Reader(heart))
    assert (said is not None) == told
    assert said is None or "heart leans to the patient's right" in said


def test_sides_that_a_header_tells_are_believed_first() -> None:
    """A film whose columns run to the patient's right is turned to the usual view before it is looked at."""
    assert warned(film(axes=("I", "R")), Reader(60)) is None
    assert warned(film(axes=("I", "R")), Reader(40)) is not None


@pytest.mark.parametrize(
    ("image", "model", "options"),
    [
        (film(frame="viewer"), Reader(40), {}),
        (film(modality="MG"), Reader(40), {}),
        (film(modality="US"), Reader(40), {}),
        (volume(), Reader(40), {}),
        (film(), Reader(40, unseen="lung"), {}),
        (film(), Reader(40, unseen="cardiomediastinum"), {}),
        (film(), Reader(40, unknown="cardiomediastinum"), {}),
        (film(), Reader(40, unknown="lung"), {}),
        (film(), Reader(40, unseen="opacity"), {}),  # nothing is drawn that could lie on the wrong side
        (film(), Reader(40), {"side_check": "off"}),
    ],
)
def test_where_it_cannot_be_known_or_does_not_matter_nothing_is_told(
    image: Image, model: Reader, options: dict[str, Any]
) -> None:
    assert warned(image, model, **options) is None


def test_the_heart_is_asked_for_in_films_alone_and_once() -> None:
    model = Reader(60)
    warned(film(), model)
    assert model.asked.count("cardiomediastinum") == 1
    model = Reader(60)
    warned(film(modality="CT"), model, "liver")
    assert "cardiomediastinum" not in model.asked


def test_a_model_that_says_not_what_it_knows_is_not_asked() -> None:
    class Mute(Reader):
        knows = None  # type: ignore[assignment]

    assert warned(film(), Mute(40)) is None


@pytest.mark.parametrize(("phrase", "told"), [("spleen", True), ("liver", False), ("kidney", False)])
def test_an_organ_on_the_other_side_is_told_with_its_finding(phrase: str, told: bool) -> None:
    """The reader draws everything at the left of the picture, the patient's right."""
    said = warned(film(modality="CT"), Reader(), phrase)
    assert (said is not None) == told
    assert said is None or said.startswith("f1: on the side where it is in hardly anybody")


def test_where_another_organ_lies_as_it_should_the_mask_is_wrong_and_not_the_image() -> None:
    result = pipeline.run(film(modality="CT"), Reader(), phrases=["spleen", "liver"])
    assert "looks_mirrored" not in dict(result.warnings)
    outcomes = [check.outcome for r in result.findings for check in r.checks if check.name == "anatomy"]
    assert outcomes == ["warn", "pass"]


def test_other_warnings_of_a_mask_say_nothing_of_the_image() -> None:
    checks = (Check("border", "warn", "cut by border"), Check("anatomy", "pass", ""))
    drawn = FindingResult(
        Finding("f1", "liver", (0, 5), "liver"), "segmented", mask=np.ones(GRID, bool), checks=checks
    )
    assert otherwise(film(modality="CT"), [drawn], Reader(), Options()) == []


def test_who_wants_no_side_checked_hears_of_no_side() -> None:
    """Neither as a warning of the image nor as a check of the finding."""
    image = film(modality="CT")
    for how, told in (("warn", True), ("off", False)):
        result = pipeline.run(image, Reader(), phrases=["spleen"], options=Options(side_check=how))
        assert ("looks_mirrored" in dict(result.warnings)) == told
        assert any(check.name == "anatomy" for check in result.findings[0].checks) == told
