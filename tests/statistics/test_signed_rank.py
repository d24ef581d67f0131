"""Wilcoxon's test against SciPy's, exact, by all choices of signs, and by the normal law."""

import numpy as np
import pytest
from scipy import stats

from ness_bench.statistics.signed_rank import MOST_EXACT, signed_rank

EVERY_CHOICE = stats.PermutationMethod(n_resamples=np.inf)


@pytest.mark.parametrize("pairs", [1, 2, 3, 5, 10, 23, MOST_EXACT])
def test_without_ties_p_is_the_exact_one(pairs):
    for seed in range(5):
        differences = np.random.default_rng(seed).normal(0.3, 1, size=pairs)
        expected = stats.wilcoxon(differences, method="exact")
        found = signed_rank(differences)
        assert (found.statistic, found.p, found.pairs) == (expected.statistic, pytest.approx(expected.pvalue), pairs)


@pytest.mark.parametrize("seed", range(6))
def test_with_ties_and_zeros_p_is_that_of_all_choices_of_signs(seed):
    differences = np.random.default_rng(seed).integers(-3, 5, size=11).astype(float)
    differences[differences == 1] = 0
    differing = differences[differences != 0]
    expected = stats.wilcoxon(differing, method=EVERY_CHOICE)
    found = signed_rank(differences)
    assert len(np.unique(np.abs(differing))) < len(differing) < 11
    assert (found.statistic, found.p, found.pairs) == (
        expected.statistic,
        pytest.approx(expected.pvalue),
        len(differing),
    )


@pytest.mark.parametrize("tied", [True, False])
def test_of_many_pairs_p_is_that_of_the_normal_law(tied):
    differences = np.random.default_rng(0).normal(0.2, 1, size=120)
    differences = np.round(differences, 1) if tied else differences
    expected = stats.wilcoxon(differences, method="asymptotic", zero_method="wilcox", correction=False)
    found = signed_rank(differences)
    assert (found.statistic, found.p) == (expected.statistic, pytest.approx(expected.pvalue))
    assert (found.pairs < 120) == tied


def test_at_its_limit_the_exact_distribution_is_close_to_the_normal_law():
    differences = np.random.default_rng(2).normal(0.3, 1, size=MOST_EXACT)
    assert signed_rank(differences).p == pytest.approx(
        stats.wilcoxon(differences, method="asymptotic").pvalue, rel=0.05
    )


def test_differences_that_only_rounding_tells_apart_are_ties():
    differences = np.array([0.903 - 0.9, 1.003 - 1.0, 0.1 - 0.103, 0.005, 0.3 - 0.1 - 0.2])
    assert len(np.unique(np.abs(differences))) == 5
    assert signed_rank(differences) == signed_rank([3, 3, -3, 5, 0])


def test_pairs_that_do_not_differ_are_no_evidence():
    assert signed_rank(np.zeros(7)) == signed_rank([])
    assert signed_rank(np.zeros(7)).p == 1


def test_of_symmetric_differences_5_percent_are_called_different_at_most():
    pairs = np.random.default_rng(3).normal(size=(4000, 10))
    rejected = np.mean([signed_rank(differences).p <= 0.05 for differences in pairs])
    assert rejected == pytest.approx(50 / 1024, abs=0.01)  # the largest exact level at most 5 %: T ≤ 8
