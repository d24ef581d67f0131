"""Selection against loops that recompute every ensemble with `metrics.nll`."""

import itertools

import numpy as np
import pytest

from ness_bench.ensembles import metrics
from ness_bench.ensembles.selection import forward_select, top_n
from ness_bench.errors import NessBenchError


def make_pool(seed, pool=12, examples=53, classes=4):
    """Probabilities [pool, examples, classes] and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(pool, examples, classes)) * 2 + np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return probabilities.astype(np.float32), labels


def nll_of(members, probabilities, labels):
    return metrics.nll(metrics.ensemble_probabilities(probabilities[list(members)]), labels)


def naive_forward_select(probabilities, labels, size):
    chosen = []
    for _ in range(size):
        left = [index for index in range(len(probabilities)) if index not in chosen]
        chosen.append(min(left, key=lambda index: nll_of([*chosen, index], probabilities, labels)))
    return chosen


@pytest.mark.parametrize("examples", [53, 1003])  # no multiples of the group length; the second underflows in a product
@pytest.mark.parametrize("seed", range(20))
def test_forward_select_takes_the_steps_of_a_loop_that_recomputes_everything(seed, examples):
    probabilities, labels = make_pool(seed, examples=examples)
    chosen = forward_select(metrics.true_class(probabilities, labels), 6)
    assert chosen == naive_forward_select(probabilities, labels, 6)


@pytest.mark.parametrize("seed", range(5))
def test_size_one_and_the_second_step_are_optimal_by_brute_force(seed):
    probabilities, labels = make_pool(seed)
    true_class = metrics.true_class(probabilities, labels)
    nlls = [log_losses.mean() for log_losses in -np.log(true_class.astype(np.float64))]
    best = int(np.argmin(nlls))
    assert forward_select(true_class, 1) == top_n(true_class, 1) == [best]
    pairs = [pair for pair in itertools.permutations(range(len(probabilities)), 2) if pair[0] == best]
    assert tuple(forward_select(true_class, 2)) == min(pairs, key=lambda pair: nll_of(pair, probabilities, labels))


def test_the_second_member_complements_the_first_and_is_not_the_second_best():
    true_class = np.array([[0.9, 0.9, 0.3], [0.88, 0.88, 0.3], [0.4, 0.4, 0.95]])
    assert top_n(true_class, 2) == [0, 1]
    assert forward_select(true_class, 2) == [0, 2]


def test_top_n_sorts_by_the_nll_of_each():
    probabilities, labels = make_pool(3)
    nlls = [metrics.nll(member, labels) for member in probabilities]
    assert top_n(metrics.true_class(probabilities, labels), 5) == sorted(range(12), key=nlls.__getitem__)[:5]


def test_ties_go_to_the_lowest_index_and_nobody_is_taken_twice():
    true_class = np.tile(np.float32([0.7, 0.2, 0.9]), (4, 1))
    assert forward_select(true_class, 4) == top_n(true_class, 4) == [0, 1, 2, 3]


def test_rows_of_zeros_do_not_underflow_and_one_example_still_decides():
    true_class = np.zeros((2, 4000), np.float32)
    true_class[1, 7] = 1e-30
    assert forward_select(true_class, 2) == top_n(true_class, 2) == [1, 0]


@pytest.mark.parametrize("select", [forward_select, top_n])
def test_a_pool_smaller_than_the_ensemble_is_refused(select):
    with pytest.raises(NessBenchError, match="ensemble of 3 cannot be selected from a pool of 2"):
        select(np.full((2, 5), 0.5), 3)
