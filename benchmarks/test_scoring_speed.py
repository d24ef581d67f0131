"""Scoring an ensemble of the shipped bank: all metrics by the library, against accuracy and NLL in plain Python."""

import math

import pytest

from ness_bench.banks.named import open_named
from ness_bench.ensembles.metrics import evaluate, true_class
from ness_bench.ensembles.selection import forward_select

ROWS = [3, 50, 101, 150, 200]


@pytest.fixture(scope="module")
def bank():
    return open_named("fashion")


def plain(probabilities, labels):
    hits, loss = 0, 0.0
    for example, label in enumerate(labels):
        mean = [sum(member[example][c] for member in probabilities) / len(probabilities) for c in range(10)]
        hits += mean.index(max(mean)) == label
        loss -= math.log(mean[label])
    return hits / len(labels), loss / len(labels)


def test_all_metrics(benchmark, bank):
    benchmark.group = "score 5 members on 2,000 images"
    benchmark(lambda: evaluate(bank.test.probabilities(ROWS), bank.test.labels))


def test_plain_python(benchmark, bank):
    probabilities, labels = bank.test.probabilities(ROWS).tolist(), bank.test.labels.tolist()
    benchmark.group = "score 5 members on 2,000 images"
    accuracy, loss = benchmark(plain, probabilities, labels)
    metrics = evaluate(bank.test.probabilities(ROWS), bank.test.labels)
    assert (accuracy, loss) == pytest.approx((metrics.accuracy, metrics.nll))


def test_forward_selection(benchmark, bank):
    pool = true_class(bank.val.probabilities(range(242)), bank.val.labels)
    benchmark.group = "forward selection of 5 from 242 on 1,000 images"
    benchmark(forward_select, pool, 5)
