"""The best ensembles against all ensembles, each scored by `metrics`."""

import itertools

import numpy as np
import pytest

from ness_bench.ensembles import metrics
from ness_bench.ensembles.gram import gram
from ness_bench.ensembles.oracle import METRICS, best_ensemble
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions
from ness_bench.errors import NessBenchError

CLASSES = 4


def make_predictions(seed, members=10, examples=60):
    """Eighths as probabilities, so that classes and ensembles tie often; the last two members copy the first two."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, examples)
    votes = rng.integers(0, CLASSES, (members, examples, 8))
    knows = rng.random((members, examples, 8)) < rng.uniform(0, 0.4, (members, examples, 1))
    votes[knows] = np.broadcast_to(labels[:, None], votes.shape)[knows]
    units = np.maximum(TOTAL // 8 * (votes[..., None] == np.arange(CLASSES)).sum(-2), 1)
    np.put_along_axis(units, units.argmax(-1)[..., None], 0, -1)
    units += (TOTAL - units.sum(-1, keepdims=True)) * (units == 0)
    units[-2:] = units[:2]
    return QuantisedPredictions.of(units.astype(np.uint16), labels)


def score(predictions, metric, rows):
    ensemble = metrics.ensemble_probabilities(predictions.probabilities(rows))
    return getattr(metrics, metric)(ensemble, predictions.labels)


def best_of_all(predictions, metric, size):
    scores = [score(predictions, metric, rows) for rows in itertools.combinations(range(len(predictions)), size)]
    return max(scores) if metric == "accuracy" else min(scores)


def is_found(optimum, predictions):
    """Whether the rows are what was asked for and have the value."""
    rows = list(optimum.rows)
    return rows == sorted(set(rows)) and optimum.value == score(predictions, optimum.metric, rows)


PROVABLE = [*itertools.product(["accuracy", "nll"], [1, 2]), *itertools.product(["brier"], [1, 2, 3, 4, 5, 10])]


@pytest.mark.parametrize(("metric", "size"), PROVABLE)
def test_what_is_proven_is_the_best_of_all_ensembles(metric, size):
    for seed in range(5):
        predictions = make_predictions(seed)
        optimum = best_ensemble(predictions, metric, size)
        assert optimum.proven
        assert len(optimum.rows) == size
        assert is_found(optimum, predictions)
        assert optimum.value == optimum.bound == pytest.approx(best_of_all(predictions, metric, size), rel=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
@pytest.mark.parametrize("examples", [300, 384])
def test_the_best_pair_is_found_among_more_members_and_examples_than_are_scanned_at_a_time(metric, examples):
    predictions = make_predictions(1, members=60, examples=examples)
    optimum = best_ensemble(predictions, metric, 2)
    assert optimum.value == pytest.approx(best_of_all(predictions, metric, 2), rel=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
def test_the_best_pair_is_found_where_no_swap_leads_to_it(metric):
    """Of two members each is sure where the other is wrong; with any third one they are worse than any two others."""
    units = np.tile(np.array([2458, 1638 - 819, 819]), (50, 40, 1))
    units[:, ::4] = [2007, 2008, 81]
    right, wrong = [4014, 41, 41], [942, 3113, 41]
    units[31, :20], units[31, 20:] = right, wrong
    units[47, :20], units[47, 20:] = wrong, right
    predictions = QuantisedPredictions.of(units.astype(np.uint16), np.zeros(40, np.int64))
    sign = -1 if metric == "accuracy" else 1
    assert sign * score(predictions, metric, [0, 1]) < sign * score(predictions, metric, [0, 31])
    optimum = best_ensemble(predictions, metric, 2)
    assert optimum.rows == (31, 47)
    assert optimum.proven
    stopped = best_ensemble(predictions, metric, 2, seconds=0)
    assert sign * stopped.bound <= sign * optimum.value < sign * stopped.value


@pytest.mark.parametrize(("label", "accuracy"), [(0, 1.0), (1, 0.0), (2, 0.0)])
def test_of_classes_that_tie_the_first_wins(label, accuracy):
    units = np.array([[[2000, 48, 2048]], [[1048, 3000, 48]]], np.uint16)  # sums: 3048, 3048, 2096
    optimum = best_ensemble(QuantisedPredictions.of(units, np.array([label])), "accuracy", 2)
    assert optimum.value == accuracy


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
@pytest.mark.parametrize("size", [3, 4])
def test_what_is_not_proven_lies_within_its_bound_and_no_swap_improves_it(metric, size):
    sign = -1 if metric == "accuracy" else 1
    for seed in range(3):
        predictions = make_predictions(seed)
        optimum = best_ensemble(predictions, metric, size)
        assert not optimum.proven
        assert is_found(optimum, predictions)
        assert sign * optimum.bound <= sign * best_of_all(predictions, metric, size) <= sign * optimum.value
        for out, into in itertools.product(optimum.rows, set(range(len(predictions))) - set(optimum.rows)):
            swapped = [into if row == out else row for row in optimum.rows]
            assert sign * score(predictions, metric, swapped) >= sign * optimum.value - 1e-12


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [2, 5])
def test_a_search_that_runs_out_of_time_still_bounds_the_optimum(metric, size):
    predictions = make_predictions(0)
    optimum = best_ensemble(predictions, metric, size, seconds=0)
    assert not optimum.proven
    assert is_found(optimum, predictions)
    sign = -1 if metric == "accuracy" else 1
    assert sign * optimum.bound <= sign * best_of_all(predictions, metric, size) <= sign * optimum.value


@pytest.mark.parametrize("metric", ["nll", "brier"])
def test_the_bound_is_near_for_many_members(metric):
    predictions = make_predictions(0, members=40, examples=400)
    optimum = best_ensemble(predictions, metric, 15, seconds=0)
    assert 0.98 * optimum.value < optimum.bound <= optimum.value


@pytest.mark.parametrize("metric", METRICS)
def test_progress_rises_to_one(metric):
    shares = []
    best_ensemble(make_predictions(0), metric, 2, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_gram_matrix_that_is_there_is_used():
    predictions = make_predictions(0)
    assert best_ensemble(predictions, "brier", 3, gram=gram(predictions)) == best_ensemble(predictions, "brier", 3)


@pytest.mark.parametrize("metric", ["accuracy", "nll", "brier"])
def test_a_pool_of_one_is_its_own_best(metric):
    assert best_ensemble(make_predictions(0, members=1), metric, 1).rows == (0,)


def test_unknown_metrics_and_impossible_sizes_are_refused():
    predictions = make_predictions(0)
    with pytest.raises(NessBenchError, match=r'"ece"; choose from accuracy, nll, brier'):
        best_ensemble(predictions, "ece", 2)
    for size in (0, 11):
        with pytest.raises(NessBenchError, match=rf"ensemble of {size} out of 10 members; ask for 1 to 10"):
            best_ensemble(predictions, "nll", size)
    with pytest.raises(NessBenchError, match="ask for 1 to 15"):
        best_ensemble(make_predictions(0, members=20), "nll", 16)
