"""Intervals and non-inferiority by Student's t against SciPy; size and power by simulation."""

import numpy as np
import pytest
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.student import mean_difference, non_inferiority

MARGIN = 0.5


@pytest.mark.parametrize("pairs", [2, 5, 30])
def test_the_interval_is_that_of_scipy(pairs):
    differences = np.random.default_rng(pairs).normal(0.3, 2, size=pairs)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    found = mean_difference(differences)
    assert (found.mean, found.low, found.high) == pytest.approx((differences.mean(), expected.low, expected.high))


@pytest.mark.parametrize("level", [0.95, 0.975])
@pytest.mark.parametrize("mean", [-0.2, 0.4, 1.2])
def test_the_verdict_is_that_of_the_one_sided_tests_of_scipy(mean, level):
    for seed in range(20):
        differences = np.random.default_rng(seed).normal(mean, 0.6, size=8)
        found = non_inferiority(differences, MARGIN, level)
        below, above = (stats.ttest_1samp(differences, MARGIN, alternative=side).pvalue for side in ("less", "greater"))
        assert found.holds == (below < 1 - level)
        expected = "non-inferior" if below < 1 - level else "inferior" if above < 1 - level else "inconclusive"
        assert found.verdict == expected


def test_at_the_margin_it_holds_in_5_percent_of_cases_and_less_loss_is_found_the_more_often_the_less():
    rng = np.random.default_rng(0)
    shares = []
    for mean in (MARGIN, 0.3, 0.1, -0.1):
        pairs = rng.normal(mean, 0.6, size=(4000, 10))
        shares.append(np.mean([non_inferiority(differences, MARGIN).holds for differences in pairs]))
    power = [
        1 - stats.nct.cdf(stats.t.ppf(0.95, 9), 9, (MARGIN - mean) / 0.6 * np.sqrt(10)) for mean in (0.3, 0.1, -0.1)
    ]
    assert shares == pytest.approx([0.05, *power], abs=0.02)


def test_pairs_that_are_equal_leave_no_doubt_and_a_single_one_leaves_all():
    equal = non_inferiority(np.zeros(5), 1e-9)
    assert (equal.mean, equal.bound, equal.holds) == (0, 0, True)
    single = non_inferiority([0.0], MARGIN)
    assert (single.lower, single.bound, single.verdict) == (-np.inf, np.inf, "inconclusive")
    assert non_inferiority([MARGIN, MARGIN], MARGIN).verdict == "inconclusive"


@pytest.mark.parametrize("margin", [0, -1, np.nan, np.inf])
def test_a_margin_tolerates_something(margin):
    with pytest.raises(NessBenchError, match="it must be above 0"):
        non_inferiority([0.1, 0.2], margin)


@pytest.mark.parametrize("differences", [[], [0.1, np.nan], [[0.1]]])
def test_differences_are_finite_numbers(differences):
    for test in (mean_difference, lambda d: non_inferiority(d, MARGIN)):
        with pytest.raises(NessBenchError, match="one finite number a pair"):
            test(differences)
