"""A finding followed through a volume by its host's memory."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from made_discs import Disc
from medsegr.errors import Cancelled
from medsegr.io.read import image_from_array
from medsegr.prompts.carry import Hand, carried
from medsegr.prompts.slices import stack_of
from medsegr.serve.desk import Timed
from medsegr.session import Model
from medsegr.types import Finding, Image, Progress

pytest.importorskip("transformers")
pytest.importorskip("peft")
import torch
from torch import nn

from medsegr.predict import Predictor
from video_host import WORDS, network

POLYP = Finding("f1", "polyp", (0, 5), "polyp")


def predictor(shaken: bool = False) -> Predictor:
    model = network()
    torch.manual_seed(5)
    for parameter in model.parameters() if shaken else ():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    card = {"name": "followed", "sha256": "", "concepts": {"polyp": {"trained_on": ["nothing"]}}, "base": 64}
    return Predictor(model, WORDS, {**card, "presence_threshold": 0.0})


def volume(count: int = 6, flipped: bool = False) -> Image:
    """Slices that change slowly, 48 x 64, the same body whether stored upwards or downwards."""
    made = np.random.default_rng(1)
    slow = made.uniform(0, 200, (48, 64))
    values = (slow + made.uniform(0, 55, (count, 48, 64))).astype(np.float32)
    affine = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1]], float)
    if flipped:
        values = values[::-1].copy()
        affine[:, 3] = affine @ [count - 1, 0, 0, 1]
        affine[2, 0] = -3
    return image_from_array(values, affine=affine, modality="CT")


def disc() -> np.ndarray:
    rows, cols = np.ogrid[:48, :64]
    return np.asarray((rows - 20) ** 2 + (cols - 30) ** 2 < 144)


def followed(made: Any, image: Image, start: int, finding: Finding = POLYP) -> dict[int, np.ndarray]:
    tracker = made.tracker(image, finding)
    tracker.show(start, disc())
    order = [*range(start + 1, image.grid[0]), *range(start - 1, -1, -1)]
    return {number: tracker.follow(number, start, (48, 64))[0] for number in order}


def test_a_volume_stored_upside_down_is_followed_alike() -> None:
    made = predictor()
    one, two = followed(made, volume(), 4), followed(made, volume(flipped=True), 1)
    assert sorted(one) == [0, 1, 2, 3, 5]
    for number, prob in one.items():
        assert prob.shape == (48, 64)
        assert np.allclose(prob, two[5 - number], atol=1e-5)


def test_words_act_on_slices_that_are_followed() -> None:
    made = predictor(shaken=True)
    one = followed(made, volume(4), 0)
    two = followed(made, volume(4), 0, Finding("f1", "", (0, 0), ""))
    assert not np.allclose(one[2], two[2], atol=1e-4)


def test_a_correction_on_the_last_slice_reaches_back_and_is_one_step() -> None:
    session = Model(predictor()).open(volume())
    session.segment("polyp")
    assert session.result is not None
    before = session.result["f1"].mask
    assert before is not None
    told: list[Progress] = []
    session.refine("f1", mask=disc(), points=[[30, 20, 1]], slice=5, follow=told.append)
    mask = session.result["f1"].mask if session.result else None
    assert mask is not None
    assert mask[5].any()
    assert told[0] == Progress("segment", 0, 5)
    assert [progress.done for progress in told] == list(range(len(told)))
    session.undo()
    assert not np.array_equal(mask, before)
    assert np.array_equal(session.result["f1"].mask, before)  # type: ignore[arg-type]


def test_a_volume_of_one_slice_has_nothing_to_follow() -> None:
    session = Model(predictor()).open(volume(1))
    session.draw(mask=disc(), points=[[30, 20, 1]], slice=0)
    assert session.result is not None
    mask = session.result.findings[0].mask
    assert mask is not None
    assert mask.shape == (1, 48, 64)
    assert mask[0, 20, 30]


def test_following_can_be_stopped_and_then_nothing_has_changed() -> None:
    session = Model(predictor()).open(volume())
    session.segment("polyp")
    before, steps = session.result, session.steps

    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        session.refine("f1", mask=disc(), points=[[30, 20, 1]], slice=0, follow=stop)
    assert session.result is before
    assert session.steps == steps


def test_a_server_that_runs_out_of_time_stops_between_slices() -> None:
    timed = Timed(predictor())
    tracker = timed.tracker(volume(), POLYP)
    tracker.show(0, disc())
    assert tracker.follow(1, 0, (48, 64))[0].shape == (48, 64)
    timed.until = 0.0
    with pytest.raises(Cancelled):
        tracker.follow(2, 0, (48, 64))
    assert Timed(Disc()).tracker(volume(), POLYP) is None


class Recorded(Disc):
    """Remembers what it was shown, and follows ``there`` slices away from it."""

    def __init__(self, there: int) -> None:
        super().__init__()
        self.there = there
        self.shown: dict[int, np.ndarray] = {}
        self.asked: list[tuple[int, int]] = []

    def tracker(self, _image: Image, _finding: Finding) -> "Recorded":
        return self

    def show(self, number: int, mask: np.ndarray) -> None:
        self.shown[number] = mask

    def follow(self, number: int, before: int, flat: tuple[int, int]) -> tuple[np.ndarray, float]:
        self.asked.append((number, before))
        return np.ones(flat, np.float32), float(abs(number - before) <= self.there)


def test_all_that_was_drawn_by_hand_is_shown_and_stays() -> None:
    made, stack = Recorded(9), stack_of(volume(9))
    hand = Hand(4, disc(), {0: disc(), 7: disc(), 8: np.zeros((48, 64), bool)})
    done = carried(made, stack, POLYP, hand)
    assert sorted(made.shown) == [0, 4, 7], "an empty slice is a bound and nothing to look at"
    assert sorted(done) == [3, 5], "halfway to the next slice that was drawn by hand, and no further"
    assert made.asked == [(5, 4), (3, 4)]


def test_following_ends_where_the_words_do_not_see_it() -> None:
    made = Recorded(2)
    done = carried(made, stack_of(volume(9)), POLYP, Hand(4, disc()))
    assert {number: bool(mask.any()) for number, mask in done.items()} == {
        5: True,
        6: True,
        7: False,
        3: True,
        2: True,
        1: False,
    }
    assert carried(made, stack_of(volume(9)), POLYP, Hand(4, np.zeros((48, 64), bool))) == {}


def test_other_hosts_and_other_runtimes_have_no_tracker() -> None:
    from medsegr.predict import build

    assert build(untrained=True).tracker(volume(), POLYP) is None
    made = predictor()
    other = Predictor(made.backend, WORDS, made.card)
    assert other.tracker(volume(), replace(POLYP, id="f2")) is None
