"""Scoring random ensembles of a pool, and selecting one, against the ways one would write first."""

import numba
import numpy as np
import pytest
import torch

from ness_bench.ensembles import metrics
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions
from ness_bench.ensembles.scoring import score
from ness_bench.ensembles.selection import forward_select

POOL, CLASSES, BINS = 5000, 10, 15
CHUNK = 32
"""Ensembles that the chunked ways score at once: their mean predictions, 1 to 3 MB, stay in the cache."""


@pytest.fixture(scope="module", params=[pytest.param(1000, marks=pytest.mark.quick), 2000], ids="{} examples".format)
def predictions(request):
    """Predictions right on about three examples in four; a tenth of the pool is random, the rest are copies of it."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, request.param)
    logits = rng.normal(scale=1.3, size=(POOL // 10, request.param, CLASSES)) + 3 * np.eye(CLASSES)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    units = 1 + (shares * (TOTAL - CLASSES)).astype(np.uint16)
    units[..., 0] += TOTAL - units.sum(-1, dtype=np.uint16)  # what rounding down left over
    return QuantisedPredictions.of(np.tile(units, (10, 1, 1)), labels)


@pytest.fixture(scope="module")
def probabilities(predictions):
    return predictions.probabilities(range(POOL))


def one_by_one(probabilities, labels, ensembles):
    """[ensembles, 4]: accuracy, NLL, Brier score and ECE, as the other ways return them."""
    functions = (metrics.accuracy, metrics.nll, metrics.brier, metrics.ece)
    means = (probabilities[rows].mean(0) for rows in ensembles)
    return np.array([[function(mean, labels) for function in functions] for mean in means])


def numpy_in_chunks(probabilities, labels, ensembles):
    scores = []
    for rows in np.split(ensembles, range(CHUNK, len(ensembles), CHUNK)):
        mean = sum(probabilities[members] for members in rows.T) / np.float32(rows.shape[1])
        true = mean[:, np.arange(len(labels)), labels]
        confidence, right = mean.max(-1), mean.argmax(-1) == labels
        bins = np.ceil(confidence * BINS).astype(int) - 1 + BINS * np.arange(len(rows))[:, None]
        gaps = np.bincount(bins.ravel(), (right - confidence).ravel(), BINS * len(rows)).reshape(-1, BINS)
        brier = (mean**2).sum(-1) - 2 * true + 1
        ece = np.abs(gaps).sum(1) / len(labels)
        scores.append(np.stack([right.mean(1), -np.log(true).mean(1), brier.mean(1), ece], 1))
    return np.concatenate(scores)


def torch_in_chunks(probabilities, labels, ensembles):
    probabilities, labels, ensembles = map(torch.from_numpy, (probabilities, labels, ensembles))
    scores = []
    for rows in ensembles.split(CHUNK):
        mean = sum(probabilities[members] for members in rows.T) / rows.shape[1]
        true = mean.gather(2, labels.expand(len(rows), -1)[..., None])[..., 0]
        confidence, prediction = mean.max(-1)
        right = (prediction == labels).float()
        bins = (confidence * BINS).ceil().long() - 1
        gaps = torch.zeros(len(rows), BINS).scatter_add_(1, bins, right - confidence)
        brier = (mean**2).sum(-1) - 2 * true + 1
        ece = gaps.abs().sum(1) / len(labels)
        scores.append(torch.stack([right.mean(1), -true.log().mean(1), brier.mean(1), ece], 1))
    return torch.cat(scores).numpy()


def ours(predictions, _, ensembles):
    scores = score(predictions, ensembles)
    return np.stack([scores.accuracy, scores.nll, scores.brier, scores.ece], 1)


@pytest.mark.parametrize("size", [3, 5, 10])
@pytest.mark.parametrize(
    ("way", "function", "count"),
    [
        ("numpy, one by one", one_by_one, 32),
        ("numpy, in chunks", numpy_in_chunks, 4 * CHUNK),
        ("torch, in chunks", torch_in_chunks, 4 * CHUNK),
        ("ours", ours, 2000),
    ],
)
def test_score(benchmark, predictions, probabilities, way, function, count, size):
    examples = len(predictions.labels)
    ensembles = np.random.default_rng(0).integers(0, POOL, (count, size))
    benchmark.group = f"score an ensemble of {size} on {examples:,} examples"
    benchmark.extra_info = {"way": way, "items": count}
    if function is ours:
        benchmark.extra_info |= {"bytes": size * predictions.units[0].nbytes, "floor": 20}
    scores = benchmark(function, predictions if function is ours else probabilities, predictions.labels, ensembles)
    reference = one_by_one(probabilities, predictions.labels, ensembles[:10])
    np.testing.assert_allclose(scores[:10], reference, atol=1e-3)  # float32 may miss the edge of a bin


@numba.njit(parallel=True)
def total(words):
    result = 0
    for i in numba.prange(len(words)):
        result += words[i]
    return result


def test_read_memory(benchmark, predictions):
    words = predictions.units.reshape(-1).view(np.int64)
    benchmark.group = f"read {words.nbytes:,} bytes"
    benchmark.extra_info = {"way": "sum, on all cores", "bytes": words.nbytes, "limit": True}
    benchmark(total, words)


def numpy_forward_select(true_class, size):
    members = []
    for count in range(1, size + 1):
        nlls = -np.log((true_class[members].sum(0) + true_class) / np.float32(count)).mean(1)
        nlls[members] = np.inf
        members.append(int(nlls.argmin()))
    return members


@pytest.mark.parametrize(("way", "function"), [("numpy", numpy_forward_select), ("ours", forward_select)])
def test_forward_selection(benchmark, predictions, way, function):
    benchmark.group = f"select 5 of {POOL:,} on {len(predictions.labels):,} examples"
    benchmark.extra_info = {"way": way, "floor": 1.5 if way == "ours" else 1}
    true_class = predictions.true_class()
    assert benchmark(function, true_class, 5) == forward_select(true_class, 5)
