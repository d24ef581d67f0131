"""The Gram matrix against sums in integers, and what is found in it against `metrics.brier` of every ensemble."""

import itertools

import numpy as np
import pytest

from ness_bench.ensembles import metrics
from ness_bench.ensembles.gram import brier, gram, greedy, improve, prove
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions

MEMBERS, EXAMPLES, CLASSES = 12, 40, 4


def make_predictions(seed, members=MEMBERS, examples=EXAMPLES, copies=0):
    """Members of very different skill, the last `copies` of them equal to the first ones."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, examples)
    skill = rng.uniform(-1, 3, (members, 1, 1))
    logits = rng.normal(size=(members, examples, CLASSES)) * rng.uniform(0.1, 3) + skill * np.eye(CLASSES)[labels]
    units = np.maximum(TOTAL * np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), 1).astype(np.uint16)
    units[..., -1] += (TOTAL - units.sum(-1, dtype=int)).astype(np.uint16)
    units[members - copies :] = units[:copies]
    return QuantisedPredictions.of(units, labels)


def brier_of(rows, predictions):
    return metrics.brier(metrics.ensemble_probabilities(predictions.probabilities(rows)), predictions.labels)


def test_every_entry_is_the_exact_sum_of_products_of_residuals():
    predictions = make_predictions(0, examples=501)
    residuals = predictions.units.astype(np.int64)
    residuals[:, 0] -= TOTAL
    np.testing.assert_array_equal(gram(predictions), np.einsum("ice,jce->ij", residuals, residuals))


def test_brier_scores_of_ensembles_and_of_weighted_ensembles():
    predictions = make_predictions(1)
    matrix = gram(predictions)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, MEMBERS, (2, 5, 3))  # with repetitions
    weights = rng.dirichlet(np.ones(3), (2, 5))
    plain, weighted = brier(matrix, rows, EXAMPLES), brier(matrix, rows, EXAMPLES, weights)
    for at in np.ndindex(2, 5):
        assert plain[at] == pytest.approx(brier_of(rows[at], predictions), rel=1e-12)
        mean = metrics.ensemble_probabilities(predictions.probabilities(rows[at]), weights[at])
        assert weighted[at] == pytest.approx(metrics.brier(mean, predictions.labels), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_greedy_takes_the_steps_of_a_loop_that_recomputes_everything(seed):
    predictions = make_predictions(seed, copies=3)
    chosen = []
    for _ in range(6):
        left = [row for row in range(MEMBERS) if row not in chosen]
        chosen.append(min(left, key=lambda row: brier_of([*chosen, row], predictions)))
    assert greedy(gram(predictions), 6) == chosen


@pytest.mark.parametrize("seed", range(10))
def test_no_swap_lowers_the_score_of_an_improved_ensemble(seed):
    predictions = make_predictions(seed)
    start = np.random.default_rng(seed).permutation(MEMBERS)[:4].tolist()
    rows = improve(gram(predictions), start)
    assert len(set(rows)) == 4
    assert brier_of(rows, predictions) <= brier_of(start, predictions)
    for out, into in itertools.product(range(4), set(range(MEMBERS)) - set(rows)):
        assert brier_of([*rows[:out], into, *rows[out + 1 :]], predictions) >= brier_of(rows, predictions)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("copies", [0, 4])
def test_the_search_ends_with_the_best_of_all_ensembles_wherever_it_starts(size, copies):
    every = np.array(list(itertools.combinations(range(MEMBERS), size)))
    for seed in range(12):
        matrix = gram(make_predictions(seed, copies=copies))
        scores = brier(matrix, every, EXAMPLES)
        for start in (every[scores.argmin()], every[scores.argmax()]):
            shares, found = zip(*prove(matrix, start.tolist()), strict=True)
            assert list(shares) == sorted(shares)
            assert shares[-1] == 1
            assert len(set(found[-1])) == size
            assert brier(matrix, np.array(found[-1]), EXAMPLES) == pytest.approx(scores.min(), rel=1e-12)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_the_search_misses_nothing_where_all_pairs_cost_nearly_the_same(size):
    """Where its bound is tight: whole numbers within two hundredths of each other."""
    every = np.array(list(itertools.combinations(range(MEMBERS), size)))
    for seed in range(5):
        noise = np.random.default_rng(seed).integers(0, 10, (MEMBERS, MEMBERS))
        matrix = np.float64(1000 + 2000 * np.eye(MEMBERS) + noise + noise.T)
        sums = matrix[every[:, :, None], every[:, None]].sum((1, 2))
        *_, (_, found) = prove(matrix, every[sums.argmax()].tolist())
        assert matrix[found][:, found].sum() == sums.min()


def test_the_search_looks_at_few_of_the_ensembles():
    """The point of it: of a million subsets of five out of forty, fewer than two hundred are built."""
    matrix = gram(make_predictions(0, members=40, examples=400))
    assert sum(1 for _ in prove(matrix, improve(matrix, greedy(matrix, 5)))) < 200
