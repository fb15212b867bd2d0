"""Following a run: what is told when, that it changes no mask, and that it can be stopped anywhere."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import medsegr
from medsegr import pipeline
from medsegr.errors import Cancelled
from medsegr.inference import answers
from medsegr.io.read import image_from_array
from medsegr.options import Options
from medsegr.phantom.write import case_of
from medsegr.results.turns import turns_of
from medsegr.session import Model
from medsegr.types import Finding, Image, Progress, Prompt, Result, Segmentation

REPORT = "Opacity in the left lung. No pneumothorax. Nodule in the right lung. Mass in the left lung."


@dataclass
class Steps:
    """A segmenter that ticks, and keeps what it was asked for."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    pieces: int = 4

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        self.asked.append(prompt.targets)
        for piece in range(self.pieces):
            if prompt.tick is not None:
                prompt.tick(piece, self.pieces)
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        prob[..., :5, :7] = 0.9
        return Segmentation(prob, prompt.targets, image.affine)


def picture() -> Image:
    return image_from_array(np.arange(40 * 50, dtype=np.float32).reshape(40, 50), modality="CR")


def volume() -> Image:
    return image_from_array(
        np.ones((6, 20, 20), np.float32).cumsum(0), spacing=(2.0, 1.0, 1.0), modality="CT"
    )


def followed(image: Image, model: Any, **more: Any) -> tuple[list[Progress], Result]:
    told: list[Progress] = []
    return told, pipeline.run(image, model, report=REPORT, follow=told.append, **more)


def test_findings_of_a_picture_are_told_one_by_one_in_order() -> None:
    model = Steps()
    told, result = followed(picture(), model)
    assert list(dict.fromkeys(one.stage for one in told)) == ["parse", "segment", "checks"]
    found = [one.finding for one in told if one.finding is not None]
    assert [item.finding.id for item in found] == ["f1", "f2", "f3", "f4"]
    assert [item.status for item in found] == [item.status for item in result.findings]
    assert [(one.done, one.total) for one in told if one.finding is not None] == [
        (n, 4) for n in (1, 2, 3, 4)
    ]
    assert len(model.asked) == 3  # a call for each that is drawn: the first is told before the last is asked
    done = [one.done for one in told if one.stage == "segment"]
    assert done == sorted(done)


def test_report_free_masks_are_asked_once_for_findings_that_share_them() -> None:
    model = Steps()
    pipeline.run(
        picture(), model, report="Nodule in the left lung. Nodule in the right lung.", follow=lambda _: None
    )
    assert sum(map(len, model.asked)) == 3


def test_the_first_mask_of_a_volume_is_told_before_the_others_are_asked() -> None:
    model = Steps()
    order: list[tuple[str, int]] = []  # findings as they are told, and how often the model was asked by then

    def follow(news: Progress) -> None:
        if news.finding is not None:
            order.append((news.finding.finding.id, len(model.asked)))

    pipeline.run(volume(), model, report=f"No effusion. {REPORT}", follow=follow)
    assert order == [("f1", 1), ("f2", 1), ("f3", 2), ("f4", 2), ("f5", 2)]
    assert model.asked[0][0] == "opacity"


def test_the_pieces_of_a_volume_are_parts_of_the_whole() -> None:
    told, result = followed(volume(), Steps())
    assert [item.finding.id for item in result.findings] == ["f1", "f2", "f3", "f4"]
    pieces = [(one.done, one.total) for one in told if one.stage == "segment" and one.finding is None]
    assert [piece for piece in pieces if piece[1] == 8] == [(n, 8) for n in range(8)]
    assert [(one.done, one.total) for one in told if one.finding is not None] == [(4, 8), *[(8, 8)] * 3]
    done = [one.done / one.total for one in told if one.stage == "segment"]
    assert done == sorted(done)


@pytest.mark.parametrize("words", ["Nodule in the left lung. No pneumothorax.", "No pneumothorax."])
def test_a_volume_with_one_mask_at_most_goes_at_once(words: str) -> None:
    model = Steps()
    pipeline.run(volume(), model, report=words, follow=lambda _: None)
    assert len(model.asked) <= 1


@pytest.mark.parametrize("image", [picture(), volume()], ids=["picture", "volume"])
@pytest.mark.parametrize("follow", [None, lambda _: None], ids=["alone", "followed"])
def test_a_report_of_nothing_has_no_turn(image: Image, follow: pipeline.Follow | None) -> None:
    model = Steps()
    assert pipeline.run(image, model, report="Nothing to say.", follow=follow).findings == ()
    assert not model.asked


@given(
    verdicts=st.lists(st.sampled_from([None, ("skipped", "absent")]), max_size=8),
    flat=st.booleans(),
    followed=st.booleans(),
)
def test_turns_hold_every_finding_once_in_order(
    verdicts: list[tuple[str, str] | None], flat: bool, followed: bool
) -> None:
    findings = [Finding(f"f{n}", "", (0, 0), "nodule") for n in range(len(verdicts))]
    turns = turns_of(findings, verdicts, flat, followed)
    assert [one for turn in turns for one in turn.findings] == findings
    assert [one for turn in turns for one in turn.verdicts] == verdicts
    assert [turn.number for turn in turns] == list(range(len(turns)))
    assert all(turn.of == len(turns) and turn.findings for turn in turns)
    if not flat:
        drawn = [sum(one is None for one in turn.verdicts) for turn in turns]
        assert len(turns) <= (2 if followed else 1)
        assert len(turns) < 2 or drawn[0] == 1


def test_a_volume_that_nobody_follows_is_asked_once() -> None:
    model = Steps()
    pipeline.run(volume(), model, report=REPORT)
    assert len(model.asked) == 1


def test_a_volume_that_goes_in_turns_is_one_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LARGEST_CALL", 2 * 6 * 20 * 20)
    model = Steps()
    told, _ = followed(volume(), model)
    assert [len(targets) for targets in model.asked] == [2, 2, 2]
    done = [one.done / one.total for one in told if one.stage == "segment"]
    assert done == sorted(done)
    assert done[-1] == 1


@pytest.mark.parametrize("image", [picture(), volume()], ids=["picture", "volume"])
@pytest.mark.parametrize("stop", range(8))
def test_a_run_is_stopped_wherever_it_is(image: Image, stop: int) -> None:
    seen: list[Progress] = []

    def follow(news: Progress) -> None:
        if len(seen) == stop:
            raise Cancelled("enough")
        seen.append(news)

    with pytest.raises(Cancelled):
        pipeline.run(image, Steps(), report=REPORT, follow=follow)
    assert len(seen) == stop


def test_following_does_not_turn_an_error_of_the_model_into_an_end() -> None:
    class Broken(Steps):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            if "nodule" in prompt.targets:
                raise ValueError("broken")
            return super().segment(image, prompt)

    _, result = followed(picture(), Broken())
    assert [item.status for item in result.findings] == ["segmented", "skipped", "failed", "segmented"]


@pytest.mark.parametrize("words", [{"phrases": ("left lung", "heart")}, {"report": REPORT}])
def test_the_front_door_is_followed_too(words: dict[str, Any]) -> None:
    told: list[Progress] = []
    Model(Steps()).segment(picture(), follow=told.append, **words)
    assert told[-1].stage == "checks"


@pytest.fixture(scope="module")
def model() -> Model:
    return medsegr.load(device="cpu")


def same(one: Result, other: Result) -> None:
    """The same findings, states and masks; a pixel at the very threshold may fall either way, since sums of
    other batches are rounded otherwise."""
    assert [item.status for item in one.findings] == [item.status for item in other.findings]
    for a, b in zip(one.findings, other.findings, strict=True):
        for mine, theirs in ((a.mask, b.mask), (a.free_mask, b.free_mask)):
            assert (mine is None) == (theirs is None)
            if mine is not None and theirs is not None:
                assert (mine != theirs).mean() < 1e-4


@pytest.mark.weights
def test_masks_are_those_of_a_run_that_nobody_follows(model: Model) -> None:
    case = case_of("mucosa", 5, 0, 256)
    image = image_from_array(case.image, modality=case.modality)
    options = Options(polarity=("present", "uncertain"))
    alone = pipeline.run(image, model.segmenter, report=case.report, options=options)
    told: list[Progress] = []
    watched = pipeline.run(image, model.segmenter, report=case.report, options=options, follow=told.append)
    assert sum(item.mask is not None for item in alone.findings) >= 1
    same(alone, watched)
    same(alone, Result(image, None, tuple(one.finding for one in told if one.finding), {}))


@pytest.mark.weights
def test_masks_of_a_volume_are_those_of_a_run_that_nobody_follows(model: Model) -> None:
    case = case_of("abdomen", 3, 0, 96)
    shown = np.repeat(np.asarray(case.image, np.float32)[None], 9, 0)
    image = image_from_array(shown, spacing=(5.0, 3.0, 3.0), modality="CT")
    words = ("liver", "liver lesion", "left kidney")
    alone = pipeline.run(image, model.segmenter, phrases=words)
    watched = pipeline.run(image, model.segmenter, phrases=words, follow=lambda _: None)
    assert sum(item.mask is not None for item in alone.findings) >= 1
    same(alone, watched)


@pytest.mark.weights
def test_a_volume_is_left_between_its_chunks(model: Model) -> None:
    noise = np.random.default_rng(0).normal(0, 100, (9, 32, 32)).astype(np.float32)
    image, options = (
        image_from_array(noise, spacing=(5.0, 2.0, 2.0), modality="CT"),
        Options(report_mask=False),
    )
    told: list[Progress] = []

    def stop(news: Progress) -> None:
        told.append(news)
        if news.done == 8:
            raise Cancelled("in the middle")

    with pytest.raises(Cancelled):
        pipeline.run(image, model.segmenter, phrases=("liver",), options=options, follow=stop)
    assert {(one.done, one.total) for one in told if one.stage == "segment"} >= {(0, 9), (8, 9)}
