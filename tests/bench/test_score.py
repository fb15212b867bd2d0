"""One answer as a row."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench_sets import disc
from medsegr.bench import score as scoring
from medsegr.bench.score import Answer, answer_of, score, stratum_of
from medsegr.errors import InputError
from medsegr.grid import planes
from medsegr.io.read import image_from_array
from medsegr.metrics import dice, iou, reliability
from medsegr.types import Segmentation

IMAGE = image_from_array(np.zeros((60, 80), np.uint8), modality="US")


def said(prob: np.ndarray, **extras: list[float]) -> Segmentation:
    return Segmentation(
        prob.astype(np.float32), ("x",) * len(prob), None, {k: np.array(v) for k, v in extras.items()}
    )


def test_counts_give_dice_and_iou() -> None:
    a, b = disc((30, 40), 10), disc((33, 42), 12)
    row = score(Answer(a * 0.9, None, True), b, IMAGE, "right", 2.0)
    assert scoring.dice_of(row) == pytest.approx(dice(a, b))
    assert scoring.iou_of(row) == pytest.approx(iou(a, b))
    assert row["unit"] == "px"
    assert row["lesions"] == [1, 0, 0]


def test_a_low_presence_takes_the_mask_away_but_not_out_of_the_record() -> None:
    answer = answer_of(said(disc((30, 40), 9)[None] * 1.0, presence=[0.2]), 0, 1, IMAGE, 0.5)
    row = score(answer, disc((30, 40), 9), IMAGE, "right", 2.0)
    assert (row["pred"], row["drawn"], scoring.dice_of(row)) == (0, False, 0.0)
    assert scoring.open_dice_of(row) == 1.0
    assert row["hd95"] is None
    assert row["nsd"] == 0.0


@pytest.mark.parametrize("presence", [True, False])
@pytest.mark.parametrize("control", ["right", "place"])
def test_answers_that_differ_where_nobody_judged_give_the_same_row(presence: bool, control: str) -> None:
    truth, unknown = disc((30, 40), 9), disc((30, 40), 14) & ~disc((30, 40), 9)
    prob = np.random.default_rng(0).random(truth.shape).astype(np.float32)
    rows = [
        score(Answer(one, None, presence, unknown), truth, IMAGE, control, 2.0)
        for one in (prob, np.where(unknown, 1 - prob, prob), np.where(unknown, 0, prob))
    ]
    assert rows[0] == rows[1] == rows[2]
    if control == "right":
        assert sum(rows[0]["bins"][0]) == (~unknown).sum()  # a sure nothing there would flatter
    plain = score(Answer(prob, None, presence), truth, IMAGE, control, 2.0)
    assert plain["open"][0] > rows[0]["open"][0]
    spread = score(Answer((truth | unknown) * 1.0, None, True, unknown), truth, IMAGE, "right", 2.0)
    assert (scoring.dice_of(spread), spread["hd95"], spread["lesions"]) == (1.0, 0.0, [1, 0, 0])


def test_empty_truths_have_no_dice() -> None:
    nothing = np.zeros((60, 80), bool)
    silent = score(Answer(nothing * 0.0, None, True), nothing, IMAGE, "right", 2.0)
    loud = score(Answer(disc((9, 9), 3) * 1.0, None, True), nothing, IMAGE, "right", 2.0)
    assert math.isnan(scoring.dice_of(silent))
    assert math.isnan(scoring.iou_of(loud))
    assert (silent["drawn"], loud["drawn"]) == (False, True)
    assert (silent["hd95"], silent["nsd"]) == (0.0, 1.0)
    assert loud["lesions"] == [0, 0, 1]
    assert stratum_of(silent) is None


def test_each_target_has_its_own_presence() -> None:
    prob = np.stack([disc((30, 40), 9)] * 2) * 1.0
    both = said(prob, presence=[0.9, 0.1])
    assert [answer_of(both, k, 2, IMAGE, 0.5).there for k in (0, 1)] == [True, False]


@pytest.mark.parametrize(
    "prob",
    [np.zeros((2, 60, 80)), np.zeros((1, 60, 81)), np.full((1, 60, 80), np.nan), np.full((1, 60, 80), 1.5)],
)
def test_what_is_no_answer_is_refused(prob: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected"):
        answer_of(said(prob), 0, 1, IMAGE, 0.5)


def test_surfaces_are_in_mm_where_there_is_spacing() -> None:
    image = image_from_array(np.zeros((60, 80), np.uint8), modality="US", spacing=(0.5, 0.5))
    a, b = np.zeros((2, 60, 80), bool)
    a[10:20, 10:20], b[10:20, 14:24] = True, True
    row = score(Answer(a * 1.0, None, True), b, image, "right", 2.0)
    assert (row["unit"], row["hd95"]) == ("mm", 2.0)
    assert row["nsd"] == 1.0


@pytest.mark.parametrize(
    ("share", "name"),
    [
        (0.001, "< 1 %"),
        (0.01, "1-2 %"),
        (0.049, "2-5 %"),
        (0.05, "5-10 %"),
        (0.19, "10-20 %"),
        (0.2, "> 20 %"),
        (1.0, "> 20 %"),
    ],
)
def test_strata_hold_their_lower_edge(share: float, name: str) -> None:
    assert stratum_of({"truth": round(share * 10_000), "size": 10_000}) == name


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 999))
def test_small_masks_survive_as_pictures(h: int, w: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((h, w)) < 0.4
    kept = scoring.kept_view(mask, planes.Plane((0, 1), (False, False), "?"), None)
    np.testing.assert_array_equal(scoring.opened_view(kept), mask)


def test_a_volume_is_shown_where_most_of_the_truth_is() -> None:
    truth = np.zeros((5, 20, 20), bool)
    truth[3, 4:9, 4:9] = truth[1, 4:6, 4:6] = True
    plane = planes.Plane((0, 1, 2), (False,) * 3, "S")
    index = scoring.view_index(truth, truth, plane)
    assert index == 3
    np.testing.assert_array_equal(scoring.opened_view(scoring.kept_view(truth, plane, index)), truth[3])


@given(hnp.arrays(np.float64, 50, elements=st.floats(0, 1)), st.integers(0, 99))
def test_bins_survive(prob: np.ndarray, seed: int) -> None:
    table = reliability(prob, np.random.default_rng(seed).random(50) < 0.5, scoring.BINS)
    back = scoring.unpacked_bins(np.array(scoring.packed_bins(table), float))
    np.testing.assert_array_equal(back.count, table.count)
    np.testing.assert_allclose(back.confidence, table.confidence, atol=1e-4)
    np.testing.assert_allclose(back.accuracy, table.accuracy)
