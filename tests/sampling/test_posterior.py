import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior

EDGES, OPERATIONS = 3, 4
SPACE = np.array(list(itertools.product(range(OPERATIONS), repeat=EDGES)), np.int8)


def by_definition(logits: np.ndarray, support: np.ndarray) -> np.ndarray:
    """q_α, one architecture at a time: the product of softmaxes, renormalised."""
    weights = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    unnormalised = [np.prod([weights[e, o] for e, o in enumerate(architecture)]) for architecture in support]
    return np.array(unnormalised) / np.sum(unnormalised)


@pytest.mark.parametrize("size", [1, 7, len(SPACE) - 1, len(SPACE)])
@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_all_agrees_with_the_definition(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(EDGES, OPERATIONS))
    support = rng.permutation(SPACE)[:size]
    posterior, q = Posterior(logits, support), by_definition(logits, support)

    np.testing.assert_allclose(posterior.probabilities, q)
    np.testing.assert_allclose(posterior.entropy, -np.sum(q * np.log(q)), atol=1e-12)
    marginals = [[q[support[:, e] == o].sum() for o in range(OPERATIONS)] for e in range(EDGES)]
    np.testing.assert_allclose(posterior.marginals, marginals, atol=1e-12)

    tilt = rng.normal(size=(2, 5, EDGES, OPERATIONS))
    tilted = posterior.tilted_marginals(tilt)
    assert tilted.shape == tilt.shape
    np.testing.assert_allclose(tilted[1, 3], Posterior(logits + tilt[1, 3], support).marginals, atol=1e-12)


def test_large_logits_do_not_overflow() -> None:
    certain = Posterior(np.eye(EDGES, OPERATIONS) * 1e4, SPACE)
    assert certain.probabilities[(SPACE == [0, 1, 2]).all(1)] == pytest.approx(1)
    assert certain.entropy == pytest.approx(0)


@pytest.mark.parametrize(
    ("support", "message"),
    [
        (np.empty((0, EDGES), np.int8), "at least one"),
        (SPACE[:, :2], "a row of 3 edges"),
        (SPACE[0], "a row of 3 edges"),
        (SPACE[:5] - 1, "operations -1 to"),
        (SPACE + 1, "allowed: 0 to 3"),
        (SPACE[[0, 1, 0]], "3 architectures, of which 2 are distinct"),
    ],
)
def test_a_bad_support_is_refused(support: np.ndarray, message: str) -> None:
    with pytest.raises(NessBenchError, match=message):
        Posterior(np.zeros((EDGES, OPERATIONS)), support)
