"""Rank correlations against counting, closed forms and what is planted; their pairing of a bank and its supernets."""

import itertools

import numpy as np
import pytest

from ness_bench.banks.ranks import between_seeds, classes_of, rank_correlations, ranks_of, stand_alone
from ness_bench.spaces.nas_bench_201 import canonical


def by_counting(a, b):
    """Spearman as Pearson of mean ranks, Kendall's τ-b by counting pairs."""
    ranks = [np.array([(np.sum(x < y) + np.sum(x <= y) - 1) / 2 for y in x]) for x in (a, b)]
    spearman = np.corrcoef(*ranks)[0, 1]
    signs = [np.array([np.sign(x[i] - x[j]) for i, j in itertools.combinations(range(len(x)), 2)]) for x in (a, b)]
    return spearman, np.sum(signs[0] * signs[1]) / np.sqrt(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())


def test_correlations_are_those_of_counting_with_ties():
    rng = np.random.default_rng(0)
    accuracy, nll = rng.integers(0, 12, 60) / 12, rng.integers(0, 12, 60) / 12
    found = rank_correlations(accuracy, nll)
    assert (found.spearman, found.kendall) == pytest.approx(by_counting(accuracy, -nll))
    best = accuracy >= np.quantile(accuracy, 0.9)
    assert (found.best_spearman, found.best_kendall) == pytest.approx(by_counting(accuracy[best], -nll[best]))


def test_the_best_are_those_of_highest_stand_alone_accuracy():
    """A hundred networks, ranked rightly but for the best ten, whose order is turned round."""
    accuracy = np.random.default_rng(1).permutation(100) / 100
    nll = np.where(accuracy >= 0.9, accuracy - 10, -accuracy)
    found = rank_correlations(accuracy, nll)
    assert (found.best_spearman, found.best_kendall) == pytest.approx((-1, -1))
    assert found.spearman > 0.99
    assert rank_correlations(accuracy, -accuracy).best_kendall == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_what_has_no_order_has_no_correlation():
    for scores in (np.full(10, 0.5), np.array([0.5])):
        assert np.isnan(rank_correlations(scores, np.arange(len(scores)) / 10).spearman)
    for shape in ((0, 5), (1, 5), (7, 1)):
        assert np.isnan(between_seeds(np.zeros(shape)).kendall)


def test_between_seeds_of_a_normal_law_the_correlations_are_known():
    rng = np.random.default_rng(2)
    accuracies = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 3))  # Pearson ½
    found = between_seeds(accuracies)
    assert found.spearman == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.02)
    assert found.kendall == pytest.approx(2 / np.pi * np.arcsin(0.5), abs=0.02)
    assert 0 < found.best_spearman < found.spearman


def test_a_supernet_is_held_against_the_first_training_of_each_class(bank):
    supernet = bank.supernets[-1]
    of_class = {}
    for row, (architecture, seed) in enumerate(zip(bank.members.architectures, bank.members.seeds, strict=True)):
        if seed == 0:
            of_class[architecture] = bank.test_scores.accuracy[row]
    classes, strings = classes_of(bank), bank.space.array
    assert sorted(map(tuple, classes.tolist())) == sorted(of_class)
    assert stand_alone(bank, strings).tolist() == [of_class[canonical(tuple(a))] for a in strings.tolist()]
    found = ranks_of(bank, supernet)
    for name, architectures in (("classes", classes), ("strings", strings)):
        accuracy = np.array([of_class[canonical(tuple(a))] for a in architectures.tolist()])
        expected = by_counting(accuracy, -supernet.nll[supernet.rows(architectures)])
        assert (found[name].spearman, found[name].kendall) == pytest.approx(expected)
