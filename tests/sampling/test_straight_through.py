"""Straight-through, on tables: what is exactly true of its estimate, and where it leads."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import (
    Adam,
    coordinate_ascent,
    elbo_gradient,
)
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.straight_through import straight_through, straight_through_gradient

EDGES, OPERATIONS = 3, 3
SHAPE = (EDGES, OPERATIONS)
SPACE = np.random.default_rng(0).permutation(list(itertools.product(range(OPERATIONS), repeat=EDGES))).astype(np.int8)
ONE_HOTS = Posterior.uniform(SPACE, OPERATIONS).one_hots
INTERACTING = np.random.default_rng(1).normal(size=len(SPACE)) - 3 * (SPACE[:, 0] == SPACE[:, 1])
TERMS = np.random.default_rng(2).normal(size=SHAPE)
SEPARABLE = TERMS[range(EDGES), SPACE].sum(1)


def gradient_of(log_likelihood: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Of Σ_A Π_e w[e, A_e] log p(D|A) at the one-hot weights of an architecture: its neighbours' values."""
    value = dict(zip(map(tuple, SPACE.tolist()), log_likelihood.tolist(), strict=True))

    def gradient(architecture: np.ndarray) -> np.ndarray:
        a = tuple(architecture.tolist())
        return np.array([[value[(*a[:e], o, *a[e + 1 :])] for o in range(OPERATIONS)] for e in range(EDGES)])

    return gradient


def estimates(log_likelihood: np.ndarray, logits: np.ndarray, tau: float, noises: np.ndarray) -> np.ndarray:
    gradient = gradient_of(log_likelihood)
    return np.array([straight_through_gradient(logits, noise, gradient, tau) for noise in noises])


def deviations(samples: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """From the mean, in standard errors."""
    return (samples.mean(0) - mean) / (samples.std(0) / np.sqrt(len(samples)))


def test_a_draw_follows_its_relaxed_sample() -> None:
    """Of a separable likelihood it is the derivative of Σ_e (terms − log q)_e · y_e, with log q held."""
    rng, tau, step = np.random.default_rng(3), 0.6, 1e-6
    logits, noise = rng.normal(size=(2, *SHAPE))
    slope = TERMS - log_softmax(logits, axis=1)
    found = straight_through_gradient(logits, noise, gradient_of(SEPARABLE), tau)
    for place in np.ndindex(SHAPE):
        shift = np.zeros(SHAPE)
        shift[place] = step
        up, down = (np.sum(slope * softmax((logits + s * shift + noise) / tau, axis=1)) for s in (1, -1))
        assert found[place] == pytest.approx((up - down) / (2 * step), abs=1e-8)


def test_the_expectation_with_two_operations() -> None:
    """Two Gumbels differ by a logistic variable, so that E[y] at τ = 1 is a closed form, other than sigmoid(a)."""
    a, slope = 1.3, 0.7

    def expected_share(a: float) -> float:
        return np.exp(a) * (np.expm1(a) - a) / np.expm1(a) ** 2  # P(one logistic variable exceeds another by −a)

    logits = np.array([[a, 0.0]])
    log_q = log_softmax(logits, axis=1)
    tempered_gradient = log_q + np.array([[slope, 0.0]])
    noises = np.random.default_rng(4).gumbel(size=(20_000, 1, 2))
    samples = np.array([straight_through_gradient(logits, noise, lambda _: tempered_gradient, 1.0) for noise in noises])
    derivative = (expected_share(a + 1e-4) - expected_share(a - 1e-4)) / 2e-4
    assert np.abs(deviations(samples, slope * derivative * np.array([[1, -1]]))).max() < 3.5
    q = np.exp(log_q[0])
    assert derivative < 0.9 * q[0] * q[1]  # what an unbiased estimate would have


@pytest.mark.parametrize("tau", [0.3, 2.0])
def test_the_expectation_is_a_jacobian_times_the_gradient_in_probabilities(tau: float) -> None:
    """E[J_y] ∂ELBO/∂w, interactions or not: so it is 0 where the true gradient is."""
    rng = np.random.default_rng(5)
    logits, noises = rng.normal(size=SHAPE), rng.gumbel(size=(8000, *SHAPE))
    q = softmax(logits, axis=1)
    y = softmax((logits + rng.gumbel(size=(200_000, *SHAPE))) / tau, axis=2)
    jacobian = (y.mean(0)[:, None] * np.eye(OPERATIONS) - np.einsum("neo,nep->eop", y, y) / len(y)) / tau
    of_others = [np.prod([q[f, SPACE[:, f]] for f in range(EDGES) if f != e], axis=0) for e in range(EDGES)]
    slope = np.array([(INTERACTING * of_others[e]) @ (SPACE[:, e, None] == range(OPERATIONS)) for e in range(EDGES)])
    in_probabilities = slope - np.log(q)  # ∂ELBO/∂w at w = q, up to a constant
    samples = estimates(INTERACTING, logits, tau, noises)
    assert np.abs(deviations(samples, np.einsum("eop,ep->eo", jacobian, in_probabilities))).max() < 3.5
    true = elbo_gradient(logits, ONE_HOTS, INTERACTING)
    centred = in_probabilities - (q * in_probabilities).sum(1, keepdims=True)
    np.testing.assert_allclose(q * centred, true, atol=1e-12)  # J_q in place of E[J_y]
    bias = np.linalg.norm(samples.mean(0) - true) / np.linalg.norm(true)
    assert bias > 0.3 if tau == 2.0 else bias < 0.2


def test_the_bias_goes_with_tau_and_the_variance_comes() -> None:
    rng = np.random.default_rng(6)
    logits, noises = rng.normal(size=SHAPE), rng.gumbel(size=(12_000, *SHAPE))
    warm, cold = (estimates(INTERACTING, logits, tau, noises) for tau in (0.16, 0.04))
    assert np.abs(deviations(cold, elbo_gradient(logits, ONE_HOTS, INTERACTING))).max() < 3.5
    assert cold.var(0).sum() / warm.var(0).sum() == pytest.approx(4, rel=0.25)  # as 1/τ


def test_at_a_separable_maximum_every_draw_agrees() -> None:
    noises = np.random.default_rng(7).gumbel(size=(20, *SHAPE))
    np.testing.assert_allclose(estimates(SEPARABLE, TERMS + 5, 0.7, noises), 0, atol=1e-12)


def infer(log_likelihood: np.ndarray, temperature: float, tau: float, epochs: int = 150) -> np.ndarray:
    """Marginals."""
    gradient = gradient_of(log_likelihood)
    posterior = straight_through(
        lambda architecture, batch: gradient(architecture) * len(batch) / 200,
        SPACE,
        200,
        temperature,
        np.random.default_rng(8),
        operations=OPERATIONS,
        tau=tau,
        epochs=epochs,
        batch_size=20,
        samples_per_step=8,
        adam=Adam(learning_rate=0.01, weight_decay=0),
    )
    return posterior.marginals


@pytest.mark.parametrize("tau", [1.0, 2.0, 5.0])
def test_it_ends_on_the_maximum(tau: float) -> None:
    """Within .05 in total variation, whatever τ: its bias is no bias of what it finds."""
    expected = coordinate_ascent(INTERACTING, SPACE, 1.0, operations=OPERATIONS).marginals
    assert np.abs(infer(INTERACTING, 1.0, tau) - expected).sum(1).max() / 2 < 0.05


def test_temperature_goes_from_the_best_architecture_to_the_prior() -> None:
    assert infer(SEPARABLE, 0.01, 1.0)[range(EDGES), SPACE[SEPARABLE.argmax()]].min() > 0.99
    np.testing.assert_allclose(infer(SEPARABLE, 1e6, 1.0), 1 / OPERATIONS, atol=0.01)


def test_minibatches_stand_for_all_examples() -> None:
    examples, rng = 30, np.random.default_rng(9)
    per_example = rng.normal(size=(examples, *SHAPE)) / 3
    seen: list[np.ndarray] = []

    def gradient(architecture: np.ndarray, batch: np.ndarray) -> np.ndarray:
        assert architecture.dtype == np.int8
        seen.append(batch)
        return per_example[batch].sum(0).astype(np.float32)

    found = straight_through(
        gradient, SPACE, examples, 4.0, rng, operations=OPERATIONS, epochs=300, batch_size=7, samples_per_step=2
    )
    expected, unscaled = (softmax(per_example.sum(0) / 4 * share, axis=1) for share in (1, 7 / 30))
    np.testing.assert_allclose(found.marginals, expected, atol=0.04)
    assert np.abs(unscaled - expected).max() > 0.1
    assert [len(batch) for batch in seen[:12:2]] == [7, 7, 7, 7, 2, 7]
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(np.sort(np.concatenate(seen[:10:2])), np.arange(examples))


def test_the_same_seed_infers_the_same() -> None:
    first, second = (infer(INTERACTING, 1.0, 1.0, epochs=2) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"temperature": np.nan}, "temperature is nan"),
        ({"tau": 0.0}, "tau is 0.0; it must be above 0"),
        ({"tau": np.inf}, "tau is inf"),
        ({"samples_per_step": 0}, "samples_per_step is 0; it must be at least 1"),
        ({"examples": 0}, "examples is 0"),
        ({"support": SPACE[:13]}, "straight-through needs the whole space of 27 architectures, but the support has 13"),
        ({"log_likelihood_gradient": lambda a, b: np.zeros((3, 2))}, r"shape \(3, 2\).*of shape \(3, 3\)"),
        ({"log_likelihood_gradient": lambda a, b: np.full(SHAPE, np.nan)}, "9 of its entries are not finite"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, object], message: str) -> None:
    arguments = {
        "log_likelihood_gradient": lambda a, b: np.zeros(SHAPE),
        "support": SPACE,
        "examples": 10,
        "temperature": 1.0,
        "rng": np.random.default_rng(0),
        "operations": OPERATIONS,
    }
    with pytest.raises(NessBenchError, match=message):
        straight_through(**(arguments | changes))
