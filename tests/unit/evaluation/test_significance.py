"""Bootstrap: agreement with theory and scipy, p-values under the null, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_rel

from retrieval.errors import EvaluationError
from retrieval.evaluation.significance import bootstrap_interval, paired_bootstrap

RNG = np.random.default_rng(5)
RECIPROCAL = RNG.choice([0.0, 1.0, 0.5, 1 / 3, 0.25, 0.1], size=300, p=[0.2, 0.5, 0.1, 0.1, 0.05, 0.05])
CONTINUOUS = RNG.normal(0.3, 1.0, size=400)


@pytest.mark.parametrize("values", [RECIPROCAL, CONTINUOUS], ids=["few values", "all distinct"])
def test_interval_agrees_with_scipy_percentile_bootstrap(values):
    ours = bootstrap_interval(values, 20_000, seed=1)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    width = theirs.high - theirs.low
    assert ours.mean == pytest.approx(values.mean(), abs=1e-12)
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * width)


def test_wider_level_gives_a_wider_interval():
    narrow, wide = (bootstrap_interval(RECIPROCAL, 2000, seed=1, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_interval_of_equal_values_is_that_value():
    interval = bootstrap_interval(np.full(50, 0.4), 100, seed=0)
    assert (interval.low, interval.high) == pytest.approx((0.4, 0.4))


def test_same_seed_gives_the_same_interval_and_another_seed_another():
    assert bootstrap_interval(CONTINUOUS, 500, seed=1) == bootstrap_interval(CONTINUOUS, 500, seed=1)
    assert bootstrap_interval(CONTINUOUS, 500, seed=1) != bootstrap_interval(CONTINUOUS, 500, seed=2)


@pytest.mark.parametrize("shift", [0.0, 0.06, 0.12])
def test_paired_p_value_is_close_to_the_paired_t_test(shift):
    a = CONTINUOUS + shift + RNG.normal(0, 1.0, size=400)
    ours, theirs = paired_bootstrap(a, CONTINUOUS, 5_000, seed=3), ttest_rel(a, CONTINUOUS)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.02)


def test_p_values_under_the_null_are_below_five_percent_about_five_percent_of_the_time():
    generator = np.random.default_rng(8)
    p = [paired_bootstrap(*generator.normal(size=(2, 60)), samples=400, seed=i).p_value for i in range(400)]
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09


def test_swapping_runs_flips_the_sign_and_keeps_the_p_value():
    there = paired_bootstrap(RECIPROCAL, RECIPROCAL[::-1].copy(), 5000, seed=1)
    back = paired_bootstrap(RECIPROCAL[::-1].copy(), RECIPROCAL, 5000, seed=1)
    assert there.mean == pytest.approx(-back.mean)
    assert there.p_value == pytest.approx(back.p_value, abs=0.03)


def test_identical_runs_differ_by_zero_with_p_value_one():
    difference = paired_bootstrap(RECIPROCAL, RECIPROCAL, 500, seed=0)
    assert (difference.mean, difference.low, difference.high, difference.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert difference.queries == 300


def test_constant_gain_has_the_smallest_possible_p_value():
    difference = paired_bootstrap(RECIPROCAL + 0.1, RECIPROCAL, 999, seed=0)
    assert difference.p_value == pytest.approx(1 / 1000)
    assert difference.low == pytest.approx(0.1)


@pytest.mark.parametrize("values", [np.array([]), np.array([0.1, np.nan]), np.ones((2, 2))])
def test_values_that_cannot_be_resampled_are_refused(values):
    with pytest.raises(EvaluationError, match="one finite value a query"):
        bootstrap_interval(values, 10, seed=0)


def test_runs_of_different_length_are_refused_with_both_counts():
    with pytest.raises(EvaluationError, match=r"\(3,\) against \(2,\)"):
        paired_bootstrap(np.ones(3), np.ones(2), 10, seed=0)


@pytest.mark.parametrize(("samples", "level"), [(0, 0.95), (10, 1.0)])
def test_samples_and_level_out_of_range_are_refused(samples, level):
    with pytest.raises(EvaluationError, match="at least 1 and a level"):
        bootstrap_interval(RECIPROCAL, samples, seed=0, level=level)
