"""Metrics against scikit-learn, torchmetrics and values worked out by hand, and the inequalities they must obey."""

import dataclasses
import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from ness_bench.ensembles import metrics
from ness_bench.errors import NessBenchError

MEMBERS, EXAMPLES, CLASSES = 4, 500, 6

pytestmark = pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one")  # to more than float32 has


@pytest.fixture
def predictions():
    """(probabilities, labels) that agree more often than by chance, as a trained network's would."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    logits = rng.normal(size=(MEMBERS, EXAMPLES, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return probabilities.astype(np.float32), labels


def test_the_ensemble_metrics_equal_those_of_scikit_learn_and_torchmetrics(predictions):
    probabilities, labels = predictions
    mean = probabilities.astype(np.float64).mean(0)
    scores = metrics.evaluate(probabilities, labels)
    classes = list(range(CLASSES))
    assert scores.accuracy == accuracy_score(labels, mean.argmax(-1))
    assert scores.nll == pytest.approx(log_loss(labels, mean, labels=classes), rel=1e-9)
    assert scores.brier == pytest.approx(brier_score_loss(labels, mean, labels=classes, scale_by_half=False), rel=1e-9)
    ece = multiclass_calibration_error(torch.tensor(mean), torch.tensor(labels), CLASSES, n_bins=15, norm="l1")
    assert scores.ece == pytest.approx(float(ece), rel=1e-5)


def test_the_member_metrics_equal_a_loop_over_members(predictions):
    probabilities, labels = predictions
    scores = metrics.evaluate(probabilities, labels)
    hard = probabilities.argmax(-1)
    pairs = [(a, b) for a in range(MEMBERS) for b in range(a)]
    assert scores.member_accuracy == pytest.approx(np.mean([accuracy_score(labels, votes) for votes in hard]))
    member_nlls = [log_loss(labels, member, labels=list(range(CLASSES))) for member in probabilities.astype(float)]
    assert scores.member_nll == pytest.approx(np.mean(member_nlls), rel=1e-6)
    assert scores.disagreement == pytest.approx(np.mean([np.mean(hard[a] != hard[b]) for a, b in pairs]))
    assert scores.oracle_accuracy == np.mean([labels[i] in hard[:, i] for i in range(EXAMPLES)])


def test_mean_logits_are_the_softmax_of_the_members_mean_scores():
    """Scores that a constant was added to are the same logits, since the softmax removes it."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(MEMBERS, EXAMPLES, CLASSES))
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    probabilities = torch.tensor(logits + rng.normal(size=(MEMBERS, EXAMPLES, 1))).softmax(-1).numpy()
    expected = torch.tensor(np.tensordot(weights, logits, 1)).softmax(-1).numpy()
    found = metrics.ensemble_probabilities(probabilities, weights, "logits")
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    scores = metrics.evaluate(probabilities, labels, weights, "logits")
    assert scores.nll == pytest.approx(log_loss(labels, expected, labels=list(range(CLASSES))), rel=1e-9)
    assert scores.member_nll == metrics.evaluate(probabilities, labels, weights).member_nll
    with pytest.raises(NessBenchError, match='"odds"; allowed: probabilities, logits'):
        metrics.evaluate(probabilities, labels, averaging="odds")


def test_three_examples_by_hand():
    probabilities = np.array(
        [
            [[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]],
            [[0.25, 0.75], [0.5, 0.5], [0.0, 1.0]],
        ],
        np.float32,
    )
    labels = np.array([0, 1, 0])
    scores = metrics.evaluate(probabilities, labels, weights=[0.75, 0.25])
    # The ensemble gives the classes (.625, .375), (.5, .5) and (0, 1): right, wrong by the tie, wrong.
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.nll == pytest.approx(-(math.log(0.625) + math.log(0.5) + math.log(np.finfo(np.float32).tiny)) / 3)
    assert scores.brier == pytest.approx((2 * 0.375**2 + 2 * 0.5**2 + 2) / 3)
    assert scores.ece == pytest.approx((0.375 + 0.5 + 1) / 3)
    assert scores.disagreement == pytest.approx(1 / 3)
    assert scores.member_accuracy == pytest.approx(1 / 6)
    assert scores.oracle_accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("confidences", "bins", "expected"),
    [
        ((0.5, 0.75), 2, (0.5 + 0.25) / 2),  # .5 closes the lower bin: |0 − .5| and |1 − .75|
        ((0.75, 0.75), 2, (0.75 - 0.25) / 2),  # one bin: |(0 − .75) + (1 − .75)|
        ((0.2, 0.2 + 1e-9), 5, (0.2 + 0.8) / 2),  # .2 closes the first of five bins
        ((1.0, 1.0), 15, 0.5),
    ],
)
def test_a_bin_of_the_calibration_error_holds_its_upper_edge(confidences, bins, expected):
    """Two examples: the first wrong, the second right, with these confidences."""
    rest = 8  # classes that share what is left, so that no share exceeds a confidence
    probabilities = np.array([[p, *[(1 - p) / rest] * rest] for p in confidences])
    assert metrics.ece(probabilities, np.array([1, 0]), bins) == pytest.approx(expected)


def test_one_member_is_its_own_ensemble_and_disagrees_with_nobody(predictions):
    probabilities, labels = predictions
    scores = metrics.evaluate(probabilities[:1], labels)
    assert scores.disagreement == 0
    assert scores.accuracy == scores.member_accuracy == scores.oracle_accuracy
    assert scores.nll == scores.member_nll


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.0, float("nan")]])
def test_weights_that_do_not_sum_to_one_are_refused(weights):
    with pytest.raises(NessBenchError, match="must sum to 1"):
        metrics.ensemble_probabilities(np.full((2, 3, 4), 0.25, np.float32), weights)


@st.composite
def ensembles(draw):
    """(probabilities, labels, weights) with exact zeros, ones and ties among them."""
    members, examples, classes = (draw(st.integers(low, 5)) for low in (1, 1, 2))
    heights = draw(arrays.arrays(np.float32, (members, examples, classes), elements=st.integers(0, 8).map(float)))
    heights[heights.sum(-1) == 0] = 1
    labels = draw(arrays.arrays(np.int64, examples, elements=st.integers(0, classes - 1)))
    shares = np.array(draw(st.lists(st.integers(1, 8), min_size=members, max_size=members)))
    return (heights / heights.sum(-1, keepdims=True)).astype(np.float32), labels, shares / shares.sum()


def approx(scores):
    return pytest.approx(dataclasses.asdict(scores), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(ensembles(), st.randoms(use_true_random=False))
def test_the_order_of_members_and_examples_does_not_matter(ensemble, random):
    probabilities, labels, _ = ensemble
    members, examples = (random.sample(range(length), length) for length in probabilities.shape[:2])
    shuffled = metrics.evaluate(probabilities[members][:, examples], labels[examples])
    assert dataclasses.asdict(shuffled) == approx(metrics.evaluate(probabilities, labels))


@settings(deadline=None, max_examples=30)
@given(ensembles())
def test_the_ensemble_beats_the_mean_of_its_members_in_nll_and_brier_score(ensemble):
    """Jensen's inequality, for any weights."""
    probabilities, labels, weights = ensemble
    mean = metrics.ensemble_probabilities(probabilities, weights)
    for score in (metrics.nll, metrics.brier):
        members = [score(member.astype(np.float64), labels) for member in probabilities]
        assert score(mean, labels) <= weights @ members + 1e-9


@settings(deadline=None, max_examples=30)
@given(ensembles())
def test_duplicates_of_all_members_change_nothing_but_disagreement(ensemble):
    probabilities, labels, _ = ensemble
    members = len(probabilities)
    once = metrics.evaluate(probabilities, labels)
    twice = metrics.evaluate(np.concatenate([probabilities, probabilities]), labels)
    # Of the 2m(2m − 1) ordered pairs, four times the m(m − 1) distinct ones differ as before, the rest are copies.
    disagreement = once.disagreement * 2 * (members - 1) / (2 * members - 1)
    assert dataclasses.asdict(twice) == approx(dataclasses.replace(once, disagreement=disagreement))


@settings(deadline=None, max_examples=30)
@given(ensembles())
def test_a_member_that_counts_twice_is_a_member_of_twice_the_weight(ensemble):
    probabilities, labels, _ = ensemble
    weights = np.ones(len(probabilities))
    weights[0] = 2
    repeated = metrics.evaluate(np.concatenate([probabilities, probabilities[:1]]), labels)
    weighted = metrics.evaluate(probabilities, labels, weights / weights.sum())
    assert repeated.nll == pytest.approx(weighted.nll, abs=1e-9)
    assert repeated.brier == pytest.approx(weighted.brier, abs=1e-9)
    assert repeated.oracle_accuracy == weighted.oracle_accuracy
