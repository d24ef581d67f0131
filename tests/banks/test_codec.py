import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ness_bench.banks import codec


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("classes", [2, 10, 120])
def test_round_trip_stays_within_the_bound(sharpness, classes):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(classes, 1 / sharpness), 500).astype(np.float32)
    codes = codec.encode(probabilities)
    decoded = codec.decode(codes)
    assert codes.dtype == np.uint8
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded.sum(-1), 1, atol=1e-6)
    raw = (codes / codec.LEVELS) ** 2
    assert np.abs(raw - probabilities).max() <= 1 / codec.LEVELS + 1e-6  # |√p − code/255| ≤ 1/510, √p ≤ 1
    assert np.abs(raw.sum(-1) - 1).max() <= codec.rounding_bound(classes) + 1e-6


def test_nll_of_an_ensemble_survives_storage():
    """The published order of magnitude of the distortion: 1e-4 nats a single member at this calibration."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3000, 10)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = (probabilities.cumsum(-1) > rng.random((3000, 1))).argmax(-1)
    decoded = codec.decode(codec.encode(probabilities.astype(np.float32)))
    rows = np.arange(3000)
    change = np.log(decoded[rows, labels]).mean() - np.log(probabilities[rows, labels]).mean()
    assert abs(change) < 1e-3


@given(st.integers(0, 255))
def test_a_certain_prediction_is_exact(code):
    """One-hot rows decode to themselves, whatever their code."""
    codes = np.array([[0, max(code, 1), 0]], np.uint8)
    assert codec.decode(codes).tolist() == [[0.0, 1.0, 0.0]]
