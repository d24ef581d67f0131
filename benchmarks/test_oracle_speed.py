"""Finding the best ensemble of a pool, against looking at every ensemble with NumPy."""

import numpy as np
import pytest

from ness_bench.ensembles.gram import gram
from ness_bench.ensembles.oracle import best_ensemble
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions

POOL, EXAMPLES, CLASSES = 600, 2000, 10
SAMPLED = 8
"""Members whose pairs NumPy scores: all would take minutes."""

FLOORS = {"accuracy": 60, "nll": 20}


@pytest.fixture(scope="module")
def predictions():
    """Members of different skill that find the same examples hard."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    scale = rng.uniform(1, 3, (POOL, 1, 1))
    logits = rng.normal(size=(POOL, EXAMPLES, CLASSES)) + rng.normal(size=(EXAMPLES, CLASSES))
    logits += 3 * np.eye(CLASSES)[labels]
    shares = np.exp(scale * logits) / np.exp(scale * logits).sum(-1, keepdims=True)
    units = 1 + (shares * (TOTAL - CLASSES)).astype(np.uint16)
    units[..., 0] += TOTAL - units.sum(-1, dtype=np.uint16)  # what rounding down left over
    return QuantisedPredictions.of(units, labels)


def numpy_accuracies(pairs, labels):
    return (pairs.argmax(-1) == labels).mean(1)


def numpy_nlls(pairs, labels):
    return -np.log(pairs[:, np.arange(len(labels)), labels]).mean(1)


def numpy_pairs(probabilities, labels, scores):
    return [scores((probabilities[row] + probabilities[row + 1 :]) / 2, labels) for row in range(SAMPLED)]


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
@pytest.mark.parametrize("way", ["numpy", "ours"])
def test_pair(benchmark, predictions, metric, way):
    benchmark.group = f"best pair of {POOL} by {metric} on {EXAMPLES:,} examples, a pair"
    if way == "numpy":
        scores = numpy_accuracies if metric == "accuracy" else numpy_nlls
        found = benchmark(numpy_pairs, predictions.probabilities(range(POOL)), predictions.labels, scores)
        count = sum(map(len, found))
    else:
        assert benchmark(best_ensemble, predictions, metric, 2).proven
        count = POOL * (POOL - 1) // 2
    benchmark.extra_info.update(way=way, items=count, floor=FLOORS[metric] if way == "ours" else 1)


def numpy_triples(matrix):
    """The least Σ_ij G_ij over triples."""
    own = matrix.diagonal()
    pairs = own[:, None] + own + 2 * matrix
    np.fill_diagonal(pairs, np.inf)
    least = np.inf
    for third in range(2, len(matrix)):
        shared = own[:third] + 2 * matrix[third, :third]
        triples = pairs[:third, :third] + (shared[:, None] + shared - own[:third, None] - own[:third])
        least = min(least, triples.min() + own[third])
    return least


@pytest.mark.quick
@pytest.mark.parametrize("way", ["numpy", "ours"])
def test_triple(benchmark, predictions, way):
    matrix = gram(predictions)
    benchmark.group = f"best triple of {POOL} by Brier score"
    benchmark.extra_info = {"way": way, "floor": 3 if way == "ours" else 1}
    if way == "numpy":
        least = benchmark(numpy_triples, matrix)
        best = best_ensemble(predictions, "brier", 3, gram=matrix)
        assert best.value == pytest.approx(least / (9 * EXAMPLES * TOTAL**2))
    else:
        assert benchmark(best_ensemble, predictions, "brier", 3, gram=matrix).proven


@pytest.mark.parametrize("size", [5, 10])
def test_more_members(benchmark, predictions, size):
    benchmark.group = f"best {size} of {POOL} by Brier score, proved"
    assert benchmark(best_ensemble, predictions, "brier", size, gram=gram(predictions)).proven
