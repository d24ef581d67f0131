"""The fitted temperature against one that is known, a grid and PyTorch's optimiser."""

import numpy as np
import pytest
import torch

from ness_bench.ensembles.metrics import ece, nll
from ness_bench.ensembles.temperature import COLDEST, HOTTEST, at_temperature, fit_temperature


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def honest():
    """Predictions that are as sure as they are right: labels are drawn from them."""
    rng = np.random.default_rng(0)
    probabilities = softmax(2 * rng.normal(size=(40_000, 5)))
    labels = (rng.random((40_000, 1)) > probabilities.cumsum(-1)).sum(-1)
    return probabilities, np.minimum(labels, 4)


@pytest.mark.parametrize("known", [0.4, 1.0, 2.5])
def test_what_made_predictions_too_sure_is_found_and_undone(honest, known):
    probabilities, labels = honest
    distorted = at_temperature(probabilities, 1 / known)
    found = fit_temperature(distorted, labels)
    assert found == pytest.approx(known, rel=0.03)
    assert ece(at_temperature(distorted, found), labels) < 0.01
    if known != 1:
        assert ece(distorted, labels) > 0.05


def test_no_temperature_has_a_lower_nll():
    rng = np.random.default_rng(1)
    logits = 3 * rng.normal(size=(300, 7))
    probabilities, labels = softmax(logits), (0.5 * logits + rng.gumbel(size=(300, 7))).argmax(-1)
    found = fit_temperature(probabilities, labels)
    best = nll(at_temperature(probabilities, found), labels)
    for factor in (0.5, 0.9, 0.999, 1.001, 1.1, 2):
        assert nll(at_temperature(probabilities, factor * found), labels) > best
    logits, beta = torch.from_numpy(np.log(probabilities)), torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([beta], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(beta * logits, torch.from_numpy(labels))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert found == pytest.approx(1 / beta.item(), rel=1e-5)


def test_where_the_surest_or_the_least_sure_is_best_it_ends_at_a_bound():
    right = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert fit_temperature(right, np.array([0, 1])) == COLDEST
    assert fit_temperature(right, np.array([1, 0])) == HOTTEST


def test_classes_of_highest_probability_stay(honest):
    probabilities, _ = honest
    for temperature in (0.1, 7):
        scaled = at_temperature(probabilities, temperature)
        assert (scaled.argmax(-1) == probabilities.argmax(-1)).all()
        assert scaled.sum(-1) == pytest.approx(1)
