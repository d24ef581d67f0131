"""Friedman, Iman & Davenport and Nemenyi against SciPy, scikit-posthocs and Demšar's tables; win rates."""

import itertools
import math

import numpy as np
import pytest
import scikit_posthocs
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.friedman import friedman
from ness_bench.statistics.nemenyi import cliques, critical_difference, range_distribution, range_quantile
from ness_bench.statistics.ranks import average_ranks
from ness_bench.statistics.win_rates import win_rates


@pytest.fixture(params=[False, True], ids=["distinct", "tied"])
def losses(request):
    """12 blocks of 5 methods of ascending loss."""
    values = np.random.default_rng(3).normal(size=(12, 5)) + np.linspace(0, 2, 5)
    return np.round(values) if request.param else values


def test_ranks_are_those_of_scipy(losses):
    stacked = np.stack([losses, -losses])
    np.testing.assert_array_equal(average_ranks(stacked), stats.rankdata(stacked, axis=-1))


def test_friedmans_statistic_is_that_of_scipy(losses):
    expected = stats.friedmanchisquare(*losses.T)
    found = friedman(losses)
    np.testing.assert_allclose(found.mean_ranks, stats.rankdata(losses, axis=1).mean(0))
    assert (found.chi_square, found.chi_square_p) == pytest.approx((expected.statistic, expected.pvalue))


def test_iman_and_davenports_is_the_analysis_of_variance_of_ranks(losses):
    """F of the methods in a two-way layout of ranks without interaction; rows, being ranks, do not differ."""
    ranks = stats.rankdata(losses, axis=1)
    blocks, methods = ranks.shape
    of_methods = blocks * ((ranks.mean(0) - ranks.mean()) ** 2).sum()
    rest = ((ranks - ranks.mean()) ** 2).sum() - of_methods
    f = (of_methods / (methods - 1)) / (rest / ((methods - 1) * (blocks - 1)))
    found = friedman(losses)
    assert found.f == pytest.approx(f)
    assert found.f_p == pytest.approx(stats.f.sf(f, methods - 1, (methods - 1) * (blocks - 1)))


def test_blocks_that_all_agree_are_certain_those_of_ties_and_a_single_one_say_nothing():
    agreed = friedman(np.arange(12).reshape(4, 3))
    assert (agreed.f, agreed.f_p, agreed.chi_square) == (np.inf, 0, pytest.approx(8))
    tied = friedman(np.ones((4, 3)))
    assert (tied.chi_square, tied.chi_square_p, tied.f, tied.f_p) == (0, 1, 0, 1)
    assert np.isnan(friedman([[1, 2, 3]]).f_p)


def test_of_equal_methods_5_percent_of_studies_find_a_difference():
    rng = np.random.default_rng(0)
    studies = rng.normal(size=(2000, 10, 5))
    found = [friedman(losses) for losses in studies]
    spreads = [np.ptp(one.mean_ranks) for one in found]
    assert np.mean([one.f_p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.015)
    assert 0.02 < np.mean(np.array(spreads) >= critical_difference(5, 10)) < 0.06


@pytest.mark.parametrize("methods", [2, 3, 9, 25])
def test_quantiles_of_the_range_are_those_of_scipy(methods):
    for width in (0.5, 2.0, 4.5, 7.0):
        expected = stats.studentized_range.cdf(width, methods, np.inf)
        assert range_distribution(width, methods) == pytest.approx(expected, abs=1e-9)
    assert range_quantile(0.95, methods) == pytest.approx(stats.studentized_range.ppf(0.95, methods, np.inf), rel=1e-5)


def test_the_range_of_two_normals_is_a_half_normal():
    for level in (0.01, 0.5, 0.95, 0.999):
        assert range_quantile(level, 2) == pytest.approx(math.sqrt(2) * stats.norm.ppf((1 + level) / 2), rel=1e-9)


def test_critical_values_are_those_of_demsar():
    """JMLR 2006, table 5 (a), of 2 to 10 classifiers; and the example of section 3.2.2."""
    tables = {
        0.95: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
        0.90: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920],
    }
    for level, published in tables.items():
        found = [range_quantile(level, methods) / math.sqrt(2) for methods in range(2, 11)]
        np.testing.assert_allclose(found, published, atol=1.1e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.9) == pytest.approx(1.12, abs=0.005)


def test_methods_differ_where_scikit_posthocs_finds_p_below_5_percent(losses):
    p = scikit_posthocs.posthoc_nemenyi_friedman(losses).to_numpy()
    mean_ranks = friedman(losses).mean_ranks
    apart = np.abs(mean_ranks[:, None] - mean_ranks) >= critical_difference(5, 12)
    np.testing.assert_array_equal(apart, p < 0.05)
    assert 0 < apart.sum() < 20


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_the_largest_without_two_methods_that_differ(seed):
    ranks = np.round(np.random.default_rng(seed).uniform(1, 7, size=7) * 4) / 4
    level = [
        set(group)
        for size in range(2, 8)
        for group in itertools.combinations(range(7), size)
        if np.ptp(ranks[list(group)]) < 1.5
    ]
    expected = [group for group in level if not any(group < other for other in level)]
    found = cliques(ranks, 1.5)
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert all((np.diff(ranks[list(group)]) >= 0).all() for group in found)


def test_a_method_that_differs_from_all_is_in_no_group():
    assert cliques([3.0, 1.0, 5.0], 2.0) == []
    assert cliques([3.0, 1.0, 5.0], 2.1) == [(1, 0), (0, 2)]
    assert cliques([2.0, 2.0], 0.1) == [(0, 1)]


def test_win_rates_count_blocks(losses):
    rates = win_rates(losses)
    for row, column in itertools.product(range(5), repeat=2):
        wins = sum(block[row] < block[column] for block in losses)
        ties = sum(block[row] == block[column] for block in losses)
        assert rates[row, column] == (wins + ties / 2) / 12


@pytest.mark.parametrize("losses", [np.zeros((3, 1)), np.zeros((0, 3)), np.zeros(3)])
def test_what_cannot_be_ranked_is_refused(losses):
    for function in (friedman, win_rates):
        with pytest.raises(NessBenchError, match="of two methods or more"):
            function(losses)
    with pytest.raises(NessBenchError, match="of 2 or more"):
        critical_difference(1, 10)
