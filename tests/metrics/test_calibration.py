import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medsegr.errors import InputError
from medsegr.metrics import brier, ece, ece_of, pooled, reliability
from medsegr.metrics.calibration import temper


def test_sure_and_right_is_calibrated() -> None:
    truth = np.array([True, False, True])
    assert ece(truth.astype(float), truth) == 0.0
    assert brier(truth.astype(float), truth) == 0.0


def test_sure_and_wrong_is_not() -> None:
    truth = np.array([True, False])
    assert ece((~truth).astype(float), truth) == 1.0
    assert brier((~truth).astype(float), truth) == 1.0


def test_eight_of_ten() -> None:
    prob = np.full(10, 0.8)
    assert ece(prob, np.arange(10) < 8) == pytest.approx(0.0)
    assert ece(prob, np.arange(10) < 5) == pytest.approx(0.3)


def test_bins_hold_their_upper_edge_and_the_first_one_zero() -> None:
    table = reliability(np.array([0.0, 0.25, 0.25001, 1.0]), np.array([False, True, True, True]), bins=4)
    assert table.count.tolist() == [2, 1, 0, 1]
    assert table.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert table.accuracy[0] == 0.5
    assert math.isnan(table.confidence[2])


def test_an_empty_input_has_no_calibration() -> None:
    none = np.zeros(0)
    assert math.isnan(ece(none, none.astype(bool)))
    assert math.isnan(brier(none, none.astype(bool)))
    assert reliability(none, none.astype(bool)).count.sum() == 0


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_bounded_and_counting_everything(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    prob, truth = rng.random((4, 9)), rng.random((4, 9)) > 0.5
    assert 0 <= ece(prob, truth, bins) <= 1
    assert reliability(prob, truth, bins).count.sum() == 36


def test_monai_agrees() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    calibration_binning = getattr(metrics, "calibration_binning", None)
    if calibration_binning is None:
        pytest.skip("this MONAI has no calibration metric")
    rng = np.random.default_rng(3)
    prob = rng.random((1, 1, 40, 40)).astype(np.float32)
    truth = rng.random(prob.shape) < prob**2
    mean_p, mean_t, count = (
        x.numpy().ravel()
        for x in calibration_binning(torch.from_numpy(prob), torch.from_numpy(truth).float(), num_bins=10)
    )
    ours = reliability(prob.astype(float), truth, bins=10)
    assert ours.count.tolist() == count.tolist()
    np.testing.assert_allclose(ours.confidence, mean_p, atol=1e-5)
    np.testing.assert_allclose(ours.accuracy, mean_t, atol=1e-5)
    expected = float(np.sum(np.abs(mean_p - mean_t) * count) / count.sum())
    assert ece(prob.astype(float), truth, bins=10) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("prob", [[0.5, 1.5], [-0.1, 0.5], [0.5, math.nan]])
def test_logits_are_refused(prob: list[float]) -> None:
    with pytest.raises(InputError, match="sigmoid"):
        ece(np.array(prob), np.array([True, False]))


def test_shapes_and_bins_are_checked() -> None:
    with pytest.raises(InputError, match="0 bins"):
        ece(np.zeros(2), np.zeros(2, bool), bins=0)


@given(st.lists(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20), min_size=1, max_size=5))
def test_bins_of_parts_add_up_to_the_bins_of_all(parts: list[list[tuple[float, bool]]]) -> None:
    tables = [
        reliability(np.array([p for p, _ in part]), np.array([t for _, t in part], bool), 10)
        for part in parts
    ]
    flat = [pair for part in parts for pair in part]
    whole = reliability(np.array([p for p, _ in flat]), np.array([t for _, t in flat], bool), 10)
    got = pooled(tables)
    np.testing.assert_array_equal(got.count, whole.count)
    np.testing.assert_allclose(got.confidence, whole.confidence)
    np.testing.assert_allclose(got.accuracy, whole.accuracy)


def test_only_bins_that_were_asked_for_count() -> None:
    prob, truth = np.array([0.1] * 8 + [0.9] * 2), np.array([False] * 8 + [True, False])
    table = reliability(prob, truth, bins=10)
    assert ece_of(table) == pytest.approx(ece(prob, truth, bins=10))
    assert ece_of(table, above=0.5) == pytest.approx(0.4)
    assert math.isnan(ece_of(reliability(prob[:8], truth[:8], bins=10), above=0.5))


def test_other_edges_do_not_add_up() -> None:
    some, none = (
        reliability(np.zeros(1), np.zeros(1, bool), 4),
        reliability(np.zeros(1), np.zeros(1, bool), 5),
    )
    for tables in ([some, none], []):
        with pytest.raises(InputError, match="same edges"):
            pooled(tables)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.3, 5))
@example([float(np.nextafter(0.5, 0)), float(np.nextafter(np.float32(0.5), np.float32(0)))], 5.0)
def test_a_temperature_moves_no_mask_and_no_order(values: list[float], temperature: float) -> None:
    prob = np.sort(np.array(values))
    byte = np.round(prob * 255).astype(np.uint8)[None]
    for before in (prob, prob.astype(np.float32), byte):
        half = 128 if before.dtype == np.uint8 else 0.5
        after = before.copy()
        temper(after, temperature)
        np.testing.assert_array_equal(after >= half, before >= half)
        assert (np.diff(after.astype(float)) >= 0).all()
        assert after.max() <= (255 if before.dtype == np.uint8 else 1)


def test_a_temperature_divides_logits() -> None:
    prob, byte = np.array([0.1, 0.5, 0.9, 0.0, 1.0]), np.array([[0, 26, 128, 230, 255]], np.uint8)
    temper(prob, 2.0)
    np.testing.assert_allclose(prob, [0.25, 0.5, 0.75, 0, 1])
    temper(byte, 2.0)
    assert byte.tolist() == [[0, 64, 128, 192, 255]]
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="above 0"):
            temper(prob, wrong)
