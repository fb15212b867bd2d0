import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medsegr.errors import InputError
from medsegr.metrics import bootstrap_mean, bootstrap_ratio, holm, paired_permutation
from medsegr.metrics.intervals import span


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_interval_of_many_values_is_the_normal_one() -> None:
    values = rng().normal(0.8, 0.1, 400)
    got = bootstrap_mean(values, rng())
    half = 1.96 * values.std() / math.sqrt(400)
    assert got.mean == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert got.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert (got.n, got.groups) == (400, 400)


def test_groups_widen_the_interval() -> None:
    patients = np.repeat(np.arange(20), 10)
    values = rng().normal(0, 1, 20)[patients]  # ten equal images of each of twenty patients
    alone = bootstrap_mean(values, rng())
    grouped = bootstrap_mean(values, rng(), groups=patients.tolist())
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)
    assert grouped.groups == 20


def test_same_generator_same_interval() -> None:
    values = rng().random(30)
    assert bootstrap_mean(values, rng()) == bootstrap_mean(values, rng())


def test_nan_is_left_out_and_nothing_is_nan() -> None:
    got = bootstrap_mean(np.array([1.0, np.nan, 1.0]), rng())
    assert (got.mean, got.low, got.high, got.n) == (1.0, 1.0, 1.0, 2)
    assert math.isnan(bootstrap_mean(np.zeros(0), rng()).mean)


def test_one_group_has_a_mean_and_no_interval() -> None:
    one = bootstrap_mean(np.array([0.3, 0.5]), rng(), groups=["a", "a"])
    assert (one.mean, one.groups) == (pytest.approx(0.4), 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert one.bounds is None
    alone = bootstrap_ratio(np.array([3.0, 0.0]), np.array([4.0, 0.0]), rng(), groups=["a", "b"])
    assert (alone.mean, alone.bounds) == (0.75, None)  # the other group has nothing to share
    assert bootstrap_mean(np.array([0.3, 0.5]), rng(), groups=["a", "b"]).bounds == (0.3, 0.5)


def test_an_interval_as_text() -> None:
    assert span(-0.1, 0.25, "+.2f") == "[-0.10, +0.25]"
    assert span(None, None) == "[one group]"


def test_permutation_is_exact_for_few_pairs() -> None:
    a, b = np.array([0.9, 0.8, 0.7, 0.95]), np.array([0.5, 0.6, 0.65, 0.4])
    # All four differences are positive: only "all as they are" and "all flipped" reach the sum, 2 of 16.
    assert paired_permutation(a, b, rng()) == 2 / 16
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_permutation(a, b, rng()) == pytest.approx(theirs.pvalue)


def test_permutation_agrees_with_scipy_on_many_pairs() -> None:
    a = rng().normal(0.05, 0.2, 60)
    got = paired_permutation(a, np.zeros(60), rng())
    assert got == pytest.approx(stats.ttest_1samp(a, 0).pvalue, abs=0.02)


def test_drawn_flips_hold_the_observed_ones_so_that_p_is_never_0() -> None:
    a = rng().uniform(0.5, 1, 40)
    assert paired_permutation(a, np.zeros(40), rng(), draws=99) == 1 / 100


def test_equal_scores_are_never_significant() -> None:
    a = rng().random(30)
    assert paired_permutation(a, a, rng()) == 1.0


def test_groups_flip_together() -> None:
    a, b = np.full(12, 0.9), np.full(12, 0.5)
    assert paired_permutation(a, b, rng()) == 2 / 2**12
    assert paired_permutation(a, b, rng(), groups=["p"] * 6 + ["q"] * 6) == 2 / 4


def test_pairs_without_a_value_are_left_out() -> None:
    a, b = np.array([0.9, np.nan, 0.8]), np.array([0.5, 0.1, np.nan])
    assert paired_permutation(a, b, rng()) == 1.0
    assert math.isnan(paired_permutation(np.full(2, np.nan), np.zeros(2), rng()))


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match="2 groups for 3 values"):
        bootstrap_mean(np.zeros(3), rng(), groups=["a", "b"])
    with pytest.raises(InputError, match="level"):
        bootstrap_mean(np.zeros(3), rng(), level=1.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    with pytest.raises(InputError, match="p-values"):
        holm([1.2])


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_holm_never_lowers_keeps_the_order_and_lies_below_bonferroni(values: list[float]) -> None:
    told = holm(values)
    tests = [(p, q) for p, q in zip(values, told, strict=True) if not math.isnan(p)]
    assert [math.isnan(q) for q in told] == [math.isnan(p) for p in values]
    assert all(p <= q <= min(1.0, p * len(tests)) + 1e-12 for p, q in tests)
    ranked = sorted(tests)
    assert all(a[1] <= b[1] for a, b in pairwise(ranked))


def test_a_ratio_with_wholes_of_one_is_the_mean() -> None:
    values, groups = rng().random(40), [i // 3 for i in range(40)]
    mean, ratio = bootstrap_mean(values, rng(), groups), bootstrap_ratio(values, np.ones(40), rng(), groups)
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((mean.mean, mean.low, mean.high))


def test_a_ratio_pools() -> None:
    got = bootstrap_ratio(np.array([1.0, 90.0]), np.array([10.0, 100.0]), rng())
    assert got.mean == pytest.approx(91 / 110)
    assert (got.low, got.high) == pytest.approx((0.1, 0.9))
    assert math.isnan(bootstrap_ratio(np.zeros(3), np.zeros(3), rng()).mean)
    with pytest.raises(InputError, match="wholes"):
        bootstrap_ratio(np.zeros(2), np.array([1.0, -1.0]), rng())


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    draws = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        patients = np.repeat(np.arange(30), 2)
        values = draws.normal(0.7, 0.1, 30)[patients] + draws.normal(0, 0.05, 60)
        got = bootstrap_mean(values, draws, patients.tolist(), draws=400)
        covered += got.low <= 0.7 <= got.high
    assert 0.87 <= covered / 200 <= 0.99


def test_p_values_of_equal_methods_are_uniform() -> None:
    draws = np.random.default_rng(4)
    found = []
    for _ in range(200):
        a, b = draws.normal(0.7, 0.1, (2, 20))
        found.append(paired_permutation(a, b, draws, draws=400))
    p = np.array(found)
    for level in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.11)
    assert stats.kstest(p, "uniform").pvalue > 0.01
