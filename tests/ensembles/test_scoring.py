"""Scores against `metrics`, which takes one ensemble at a time, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ness_bench.ensembles import metrics
from ness_bench.ensembles.quantised import MOST_MEMBERS, TOTAL, QuantisedPredictions
from ness_bench.ensembles.scoring import PART, score
from ness_bench.errors import NessBenchError


def make_predictions(rng, members, examples, classes, steps=TOTAL):
    """Predictions in multiples of 1 / `steps`: with few, zeros and ties abound. They favour the true class."""
    labels = rng.integers(0, classes, examples)
    shares = rng.dirichlet(np.ones(classes), (members, examples)) + np.eye(classes)[labels]
    units = rng.multinomial(steps, shares / shares.sum(-1, keepdims=True)) * (TOTAL // steps)
    return QuantisedPredictions.of(units.astype(np.uint16), labels)


def expect_the_scores_of_metrics(predictions, ensembles):
    scores = score(predictions, ensembles)
    members = predictions.probabilities(range(len(predictions))).astype(np.float64)
    for index, rows in enumerate(ensembles):
        mean = metrics.ensemble_probabilities(members[rows])
        assert scores.accuracy[index] == metrics.accuracy(mean, predictions.labels)
        assert scores.nll[index] == pytest.approx(metrics.nll(mean, predictions.labels), abs=1e-7)
        assert scores.brier[index] == pytest.approx(metrics.brier(mean, predictions.labels), abs=1e-12)
        assert scores.ece[index] == pytest.approx(metrics.ece(mean, predictions.labels), abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10, MOST_MEMBERS, MOST_MEMBERS + 1, 40])
def test_ensembles_of_any_size_on_a_number_of_examples_that_fills_no_vector(size):
    rng = np.random.default_rng(size)
    predictions = make_predictions(rng, members=50, examples=1003, classes=10)
    expect_the_scores_of_metrics(predictions, rng.integers(0, 50, (20, size)))


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(1, 70),
    st.integers(2, 6),
    st.sampled_from([1, 2, 8, 64]),
    st.integers(1, MOST_MEMBERS + 2),
)
def test_ties_zeros_and_certainties(seed, members, examples, classes, steps, size):
    """Few members in large ensembles, so rows stand several times in one."""
    rng = np.random.default_rng(seed)
    predictions = make_predictions(rng, members, examples, classes, steps)
    expect_the_scores_of_metrics(predictions, rng.integers(0, members, (3, size)))


@pytest.mark.parametrize(("label", "accuracy"), [(0, 1), (1, 0), (2, 0)])
def test_the_lowest_class_wins_a_tie(label, accuracy):
    units = np.array([[[2048, 2048, 0]], [[1024, 1024, 2048]], [[1024, 1024, 2048]]], np.uint16)  # sums are equal
    predictions = QuantisedPredictions.of(units, np.array([label]))
    assert score(predictions, np.array([[0, 1, 2]])).accuracy == [accuracy]


def test_neither_order_nor_threads_nor_a_memory_map_changes_a_bit(tmp_path):
    rng = np.random.default_rng(0)
    predictions = make_predictions(rng, members=9, examples=100, classes=3)
    np.save(tmp_path / "units.npy", predictions.units)
    mapped = QuantisedPredictions(np.load(tmp_path / "units.npy", mmap_mode="r"), predictions.labels)
    ensembles = rng.integers(0, 9, (2 * PART + 3, 5))  # more than two threads' parts
    order = rng.permutation(len(ensembles))
    shuffled = rng.permuted(ensembles[order], axis=1)
    for name in ("accuracy", "nll", "brier", "ece"):
        alone = np.concatenate([getattr(score(predictions, ensembles[i : i + 1]), name) for i in order])
        np.testing.assert_array_equal(getattr(score(mapped, shuffled), name), alone)


@pytest.mark.parametrize(
    ("ensembles", "message"),
    [
        ([[0, 1], [2, 4]], "rows 0 to 4, but the predictions have rows 0 to 3"),
        ([[0, -1]], "rows -1 to 0, but"),
        ([0, 1, 2], r"shape \[3\] cannot be scored"),
        ([[]], r"shape \[1, 0\]"),
        (np.empty((0, 5)), r"shape \[0, 5\]"),
    ],
)
def test_rows_that_are_not_there_are_refused(ensembles, message):
    predictions = make_predictions(np.random.default_rng(0), members=4, examples=8, classes=3)
    with pytest.raises(NessBenchError, match=message):
        score(predictions, np.asarray(ensembles))
