"""What is told of the image itself: mirrored, turned, a negative, in a window that hides what is asked.
(Negatives in which what is asked is seen: ``tests/test_pipeline.py``.)"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medsegr import data, pipeline
from medsegr.io.read import image_from_array
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


MADE = next(iter(data.make_phantoms("chest", 4711, 1))).pixels[0]


def doubts(
    shown: np.ndarray, phrase: str, modality: str = "CR", model: Reader | None = None
) -> dict[str, str]:
    image = image_from_array(np.ascontiguousarray(shown), modality=modality)
    codes = ("looks_turned", "looks_negative", "looks_mirrored", "narrow_window")
    said = pipeline.run(image, model or Reader(), phrases=[phrase]).warnings
    return {code: text for code, text in said if code in codes}


@pytest.mark.parametrize(
    ("turns", "what"),
    [(1, "by 90 degrees clockwise"), (2, "by 180 degrees"), (3, "by 90 degrees counterclockwise")],
)
def test_a_turned_film_is_told_with_what_to_do_and_not_called_mirrored(turns: int, what: str) -> None:
    """``turns``: counterclockwise, as it was turned. The reader's heart leans to the right."""
    model = Reader(40)
    assert set(doubts(MADE, "opacity", model=model)) <= {"looks_mirrored"}
    said = doubts(np.rot90(MADE, turns), "opacity", model=model)
    assert set(said) == {"looks_turned"}
    assert f" {what} " in said["looks_turned"]


def test_what_is_missed_in_a_turned_film_is_told_as_well() -> None:
    assert "looks_turned" in doubts(np.rot90(MADE), "opacity", model=Reader(unseen="opacity"))


def test_where_nothing_is_asked_of_the_model_nothing_is_told_of_the_image() -> None:
    assert doubts(np.rot90(MADE), "no opacity") == {}


def test_a_film_that_looks_like_a_negative_is_told_though_something_is_drawn() -> None:
    assert list(doubts(255 - MADE, "opacity")) == ["looks_negative"]
    assert set(doubts(np.rot90(255 - MADE), "opacity")) == {"looks_turned", "looks_negative"}


def slice_of_ct(lung: int) -> np.ndarray:
    rows, cols = np.mgrid[:200, :256]
    shown = np.where(((rows - 100) / 80) ** 2 + ((cols - 128) / 110) ** 2 <= 1, 120, 0)
    for col in (75, 181):
        shown[((rows - 100) / 55) ** 2 + ((cols - col) / 40) ** 2 <= 1] = lung
    shown[140:170, 108:148] = 255
    return shown.astype(np.uint8)


@pytest.mark.parametrize(
    ("lung", "phrase", "modality", "told"),
    [
        (0, "lung tumour", "CT", True),
        (0, "nodule", "CT", True),
        (40, "lung tumour", "CT", False),
        (0, "liver", "CT", False),
        (0, "no lung tumour", "CT", False),
        (0, "nodule", "MR", False),
    ],
)
def test_a_window_that_hides_the_lungs_is_told_to_who_asks_for_them(
    lung: int, phrase: str, modality: str, told: bool
) -> None:
    assert ("narrow_window" in doubts(slice_of_ct(lung), phrase, modality)) == told


def test_a_slice_on_white_is_told() -> None:
    assert "looks_negative" in doubts(255 - slice_of_ct(40), "liver", "CT")
    assert "looks_negative" not in doubts(slice_of_ct(40), "liver", "CT")
