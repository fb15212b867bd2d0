"""Which slices of a volume are asked, and what stands in those that are not."""

import itertools
import math
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.inference.test_passes import asked
from tests.small_networks import small_predictor

from medsegr.backends.backend import Said
from medsegr.errors import Cancelled
from medsegr.inference import slices
from medsegr.inference.slices import Layer, lasting, smooth, step_of
from medsegr.predict import Predictor
from medsegr.types import Image

Look = Callable[[int, int], tuple[np.ndarray, float]]  # question, slice -> logits [h w], presence in [0, 1]


def disc(radius: float, shift: float = 0.0) -> np.ndarray:
    rows, cols = np.mgrid[:32, :32]
    return np.asarray(radius - np.hypot(rows - 15.5, cols - 15.5 - shift), np.float32)


def scripted(look: Look, threshold: float = 0.5, **runs: Any) -> tuple[Predictor, list[tuple[int, int]]]:
    """A predictor whose network knows by heart what each slice shows, and the (question, slice) it was
    asked; slices are numbered as they are encoded."""
    made = small_predictor(presence_threshold=threshold, mirror=False)
    seen: list[tuple[int, int]] = []
    number = itertools.count()

    def decode(maps: Any, heard: Any, _clicks: Any = None) -> Said:
        at = [(int(which), int(z)) for which, z in zip(heard, maps[0][:, 0, 0, 0], strict=True)]
        seen.extend(at)
        logits, presence = zip(*(look(*one) for one in at), strict=True)
        odds = np.array(presence, np.float32).clip(1e-6, 1 - 1e-6)
        told = np.log(odds / (1 - odds))
        return Said(np.stack(logits), told, told)

    backend = replace(
        made.backend,
        shared=lambda pixels: (np.array([[[[next(number)]]] for _ in pixels]),),
        hear=lambda codes: np.arange(len(codes.index)),
        decode=decode,
        narrow=decode,
        numbers=np.asarray,
        **{"fill": _fill, **runs},
    )
    return Predictor(backend, made.words, made.card), seen


def _fill(out: np.ndarray, ways: Any, _logits: bool) -> None:
    out[:] = np.where(ways[0] > 0, 255, 0)


def deep(count: int, gap: float | None = 1.0) -> Image:
    """A volume of ``count`` slices that lie ``gap`` mm apart."""
    grey = np.random.default_rng(0).uniform(0, 99, (1, count, 32, 32)).astype(np.float32)
    return Image(grey, modality="CT", spacing=None if gap is None else (gap, 1.0, 1.0))


@pytest.mark.parametrize(
    ("gap", "step"), [(None, 1), (0.0, 1), (0.5, 4), (1.25, 4), (1.3, 2), (2.5, 2), (2.6, 1), (5.0, 1)]
)
def test_asked_slices_lie_five_millimetres_apart_at_most(gap: float | None, step: int) -> None:
    assert step_of(gap) == step


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 16, 30])
@pytest.mark.parametrize("gap", [1.0, 2.0, 4.0, None])
def test_a_column_needs_few_slices_and_is_the_same(count: int, gap: float | None) -> None:
    predictor, seen = scripted(lambda _k, _z: (disc(9), 0.9))
    prob = predictor.segment(deep(count, gap), asked("liver")).prob[0]
    assert (prob == np.where(disc(9) > 0, 255, 0)).all()
    asked_slices = sorted(z for _, z in seen)
    assert len(set(asked_slices)) == len(asked_slices)
    step = step_of(gap)
    assert {0, count - 1} <= set(asked_slices)
    assert np.diff(asked_slices).max(initial=0) <= step
    if step > 1 and count >= 16:
        assert len(seen) <= count / step + 2


def test_where_slices_differ_all_between_are_asked() -> None:
    """A tube that widens fast, and a thing that begins between two asked slices."""
    predictor, seen = scripted(lambda _k, z: (disc(4 + 1.5 * z), 0.9))
    predictor.segment(deep(8), asked("liver"))
    assert sorted(z for _, z in seen) == list(range(8))
    begins, seen = scripted(lambda _k, z: (disc(9), 0.9 if z >= 5 else 0.01))
    prob = begins.segment(deep(16), asked("liver")).prob[0]
    assert prob.any((1, 2)).tolist() == [z >= 5 for z in range(16)]
    assert {4, 5} <= {z for _, z in seen}
    assert len(seen) < 16


def test_between_two_that_are_alike_stands_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SMOOTH", 0.0)
    predictor, seen = scripted(lambda _k, z: (disc(10, z / 10), 0.9))
    prob = predictor.segment(deep(8), asked("liver")).prob[0]
    assert 5 not in {z for _, z in seen}
    mean = disc(10, 0.3) * 0.5 + disc(10, 0.7) * 0.5
    assert np.array_equal(prob[5] > 0, mean > 0)


@settings(max_examples=40)
@given(
    ends=st.tuples(st.integers(0, 29), st.integers(0, 29)),
    step=st.sampled_from([0.5, 2.0]),
    lanes=st.sampled_from([1, 3]),
)
def test_what_is_as_high_as_the_gap_is_found_whole(ends: tuple[int, int], step: float, lanes: int) -> None:
    low, high = sorted(ends)
    height = (high - low + 1) * step
    predictor, _ = scripted(lambda _k, z: (disc(8), 0.8 if low <= z <= high else 0.01), lanes=lanes, rows=2)
    prob = predictor.segment(deep(30, step), asked("liver")).prob[0]
    shown = [z for z in range(30) if prob[z].any()]
    if height >= slices.GAP or shown:
        assert shown == list(range(low, high + 1))


@pytest.mark.parametrize("sure", range(0, 16, 3))
def test_the_one_slice_that_is_sure_is_found(sure: int) -> None:
    """Among many that would be drawn with it: not asking it would lose them all."""
    predictor, _ = scripted(lambda _k, z: (disc(8), 0.9 if z == sure else 0.4))
    said = predictor.segment(deep(16), asked("liver"))
    assert said.prob[0].any((1, 2)).all()
    assert said.extras["presence"][0] == pytest.approx(0.9)
    assert said.extras["quality"][0] == pytest.approx(0.9), "that of the slice which is surest"


def test_every_question_has_slices_of_its_own() -> None:
    """Two questions in one volume: one still, one that moves; lanes and passes must not mix them up."""

    def look(question: int, z: int) -> tuple[np.ndarray, float]:
        return (disc(9), 0.9) if question == 0 else (disc(6, (z % 5) * 3 - 6), 0.9)

    alone = [scripted(lambda _k, z, q=q: look(q, z)) for q in (0, 1)]
    single = [
        p.segment(deep(20), asked(name)).prob[0]
        for (p, _), name in zip(alone, ("liver", "heart"), strict=True)
    ]
    for lanes, rows in ((1, 8), (2, 2), (3, 1)):
        both, seen = scripted(look, lanes=lanes, rows=rows)
        prob = both.segment(deep(20), asked("liver", "heart")).prob
        assert np.array_equal(prob, np.stack(single))
        assert len([z for q, z in seen if q == 0]) < len([z for q, z in seen if q == 1]) == 20


def test_a_mistake_in_a_lane_is_raised() -> None:
    def fails(_k: int, z: int) -> tuple[np.ndarray, float]:
        if z == 5:
            raise MemoryError("too much")
        return disc(9), 0.9

    predictor, _ = scripted(fails, lanes=2, rows=1)
    with pytest.raises(MemoryError, match="too much"):
        predictor.segment(deep(8, None), asked("liver"))


@pytest.mark.parametrize(("lanes", "rows", "most"), [(1, 8, 8), (1, 2, 2), (2, 2, 16)])
def test_a_stop_is_heard_between_passes(lanes: int, rows: int, most: int) -> None:
    """Passes that run one after the other are not prepared together: that would only hold memory."""
    predictor, seen = scripted(lambda _k, _z: (disc(9), 0.9), lanes=lanes, rows=rows)
    before = threading.active_count()

    def tick(_done: int, _of: int) -> None:
        if seen:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        predictor.segment(deep(16, None), asked("liver", "heart", "spleen", "kidney", tick=tick))
    assert len(seen) == most
    assert threading.active_count() == before


def test_what_lies_between_is_weighed_by_the_distance() -> None:
    one, other = Layer(np.zeros((2, 2)), 0.2, 0.4), Layer(np.ones((2, 2)), 0.6, 0.8)
    found = slices.between(one, other, 0.25)
    assert np.allclose(found.logits, 0.25)
    assert (found.presence, found.quality) == pytest.approx((0.3, 0.5))


@pytest.mark.parametrize(
    ("presence", "kept"),
    [
        ([0.1, 0.9, 0.2, 0.01, 0.3, 0.06], [1, 1, 1, 0, 0, 0]),  # thin ends, and what lies apart
        ([0.6, 0.1, 0.6], [1, 1, 1]),  # a seam
        ([0.4, 0.4, 0.4], [0, 0, 0]),  # nothing that is sure
        ([0.0, 0.0, 0.9], [0, 0, 1]),
        ([0.7], [1]),
        ([0.3], [0]),
    ],
)
def test_a_slice_beside_a_sure_one_stays(presence: list[float], kept: list[int]) -> None:
    assert lasting(np.array(presence), 0.5).astype(int).tolist() == kept


def test_slices_that_do_not_last_are_empty() -> None:
    """Also those that were drawn because they might have lain in a row with a sure one."""
    predictor = small_predictor(presence_threshold=0.0)
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 12, 64, 64)).astype(np.float32), modality="CT")
    every = predictor.segment(image, asked("liver")).prob[0].any((1, 2))
    strict = small_predictor(presence_threshold=1.0).segment(image, asked("liver")).prob[0]
    assert every.all()
    assert not strict.any()


def test_two_rounds_of_a_volume_are_told_as_one_way() -> None:
    told: list[tuple[int, int]] = []
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, 20, 64, 64)).astype(np.float32), modality="CT")
    prompt = asked("heart", "liver", beside=(None, (0,)), tick=lambda done, total: told.append((done, total)))
    small_predictor().segment(image, prompt)
    assert [done for done, _ in told] == [0, 8, 16, 20, 28, 36]
    assert {total for _, total in told} == {40}


@pytest.mark.parametrize(("shown", "there"), [(4, True), (0, False), (None, False)])
def test_the_slice_that_shows_a_thing_best_tells_whether_it_can_be_there(
    monkeypatch: pytest.MonkeyPatch, shown: int | None, there: bool
) -> None:
    """The head of a liver at the end of a chest is not refused for what the middle shows."""
    made, _ = scripted(lambda _, z: (disc(8), 0.9 if z == 4 else 0.6))
    card = {**made.card, "kinds": {"belly": ("liver",), "chest": ("heart",)}, "kinds_below": 0.1}
    model = Predictor(made.backend, made.words, card)

    def told(_: Any, z: int) -> np.ndarray:
        name = "concept:liver" if z == shown else "concept:heart"
        return np.array([code == name for code in model.words.codes], np.float32)

    monkeypatch.setattr(model, "_codes", told)
    presence = float(model.segment(deep(6, None), asked("liver")).extras["presence"][0])
    assert presence == pytest.approx(0.9 if there else 0.0)


def test_a_question_asked_twice_is_doubted_by_the_same_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = scripted(lambda _, z: (disc(8), 0.9 if z == 4 else 0.6))
    card = {**made.card, "kinds": {"belly": ("liver",), "chest": ("heart",)}, "kinds_below": 0.1}
    model, looked = Predictor(made.backend, made.words, card), []

    def told(_: Any, z: int) -> np.ndarray:
        looked.append(z)
        return np.zeros(len(model.words.codes), np.float32)

    monkeypatch.setattr(model, "_codes", told)
    model.segment(deep(6, None), asked("liver", "liver"))
    assert looked == [4]


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_border_that_jumps_through_the_slices_is_evened(kind: type) -> None:
    whole = 255 if kind is np.uint8 else 1
    still = np.stack([disc(8) > 0] * 12).astype(kind) * whole
    jumping = still.copy()
    jumping[6] = (disc(5) > 0) * whole  # a bite out of one slice
    smooth(jumping, 1.0)
    assert np.array_equal(jumping >= whole / 2, still >= whole / 2)
    for gap in (1.0, 2.0, 3.0, 5.0, None):
        same = still.copy()
        smooth(same, gap)
        assert np.array_equal(same, still)  # also at the ends of the volume


def test_thick_slices_are_left_as_they_are() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8)
    for gap, changed in ((None, False), (5.0, False), (3.1, False), (1.0, True)):
        given = noise.copy()
        smooth(given, gap)
        assert (not np.array_equal(given, noise)) == changed


def test_no_part_is_lost_and_nothing_is_drawn_beyond_its_ends() -> None:
    prob = np.zeros((14, 32, 32), np.float32)
    prob[3:9] = disc(8, -6) > 0
    prob[6, 24:28, 24:28] = 0.9  # as high as one slice: alone it would fall to a third
    given = prob.copy()
    smooth(given, 1.0)
    assert np.array_equal(given[6, 24:28, 24:28], prob[6, 24:28, 24:28])
    assert not given[:3].any()
    assert not given[9:].any()
    assert np.array_equal(given[4:8] >= 0.5, prob[4:8] >= 0.5)
    empty = np.zeros((3, 4, 4), np.uint8)
    smooth(empty, 1.0)
    assert not empty.any()


@pytest.mark.parametrize("gap", [math.nan, math.inf, 0.0, -1.0, 5e-324, 1e-3, 0.1])
def test_a_distance_that_cannot_be_meant_changes_nothing(gap: float) -> None:
    """1e-3: told in metres. Ten slices of 0.1 mm are lower than what is averaged over."""
    noise = np.random.default_rng(0).integers(0, 256, (10, 8, 8)).astype(np.uint8)
    given = noise.copy()
    smooth(given, gap)
    assert np.array_equal(given, noise)


@pytest.mark.parametrize("gap", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("ends", [(0, 9), (2, 9), (0, 7), (2, 7)])
def test_piece_by_piece_is_the_gaussian_through_the_whole(
    gap: float, kind: type, ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that is held turned, in pieces of a row, against the plain sum over neighbours."""
    monkeypatch.setattr(slices, "BLOCK", 1)
    monkeypatch.setattr(ndimage, "label", lambda one: (np.zeros(one.shape, int), 0))  # nothing to be kept
    first, last = ends
    whole = 255 if kind is np.uint8 else 1
    prob = np.zeros((9, 7, 6), kind)
    prob[first:last] = whole * np.random.default_rng(1).uniform(0.1, 1, (last - first, 7, 6))
    held = np.ascontiguousarray(prob.transpose(2, 1, 0))
    smooth(held.transpose(2, 1, 0), gap)
    sigma = slices.SMOOTH / gap
    reach = int(2.5 * sigma + 0.5)
    weights = {d: math.exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1)}
    expected = np.zeros(prob.shape)
    for z in range(first, last):
        expected[z] = sum(w * prob[min(max(z + d, 0), 8)] for d, w in weights.items()) / sum(weights.values())
    assert np.allclose(held.transpose(2, 1, 0), expected, rtol=0, atol=0.501 if whole > 1 else 1e-5)


def test_smoothing_takes_few_bytes_a_voxel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes do it side by side, in volumes that fill the memory."""
    monkeypatch.setattr(slices, "BLOCK", 2**14)
    prob = np.full((40, 100, 100), 200, np.uint8)
    tracemalloc.start()
    try:
        smooth(prob, 0.6)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * prob.size


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.floats(0.3, 6))
def test_smoothing_keeps_probabilities_and_every_part(seed: int, gap: float) -> None:
    rng = np.random.default_rng(seed)
    prob = ndimage.gaussian_filter(rng.random((7, 12, 12)), 1.0)
    prob = ((prob - prob.min()) / np.ptp(prob)).astype(np.float32)
    before, count = ndimage.label(prob >= 0.5)
    given = prob.copy()
    smooth(given, gap)
    assert given.min() >= 0
    assert given.max() <= 1 + 1e-6
    assert set(before[given >= 0.5]) >= set(range(1, count + 1))
