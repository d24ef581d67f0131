from collections.abc import Callable

import numpy as np
import pytest
from mixtures import (
    BOTH,
    EDGES,
    OPERATIONS,
    RESTRICTED,
    SPACE,
    WHOLE,
    components,
    finite_differences,
    gaussian_kernel,
    log_density,
    pairwise_squared,
    slope_of_the_functional,
)

from ness_bench.errors import NessBenchError
from ness_bench.sampling import svgd_rd
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd import Kernel, direction, log_density_gradient, tilt_at
from ness_bench.sampling.svgd_predictions import SVGDPredictions, kernel_of

SIGMA = 0.8
PREDICTIONS = np.random.default_rng(0).normal(size=(len(SPACE), 5))


def predictions_of(posterior: Posterior) -> np.ndarray:
    return PREDICTIONS[: len(posterior.support)]


def expected_predictions(posterior: Posterior, sigma: float = SIGMA) -> Callable[[np.ndarray], np.ndarray]:
    """f, by Bayes' rule."""

    def features(x: np.ndarray) -> np.ndarray:
        weights = components(x, posterior, sigma)
        return weights @ predictions_of(posterior) / weights.sum()

    return features


def kernel_at(particles: np.ndarray, posterior: Posterior, sigma: float = SIGMA) -> Kernel:
    weights = posterior.tilted_probabilities(tilt_at(particles, posterior, sigma))
    predictions = predictions_of(posterior)
    return kernel_of(weights, posterior.one_hots, predictions @ predictions.T, sigma)


@BOTH
def test_the_kernel_and_its_gradients(posterior: Posterior) -> None:
    particles = np.random.default_rng(1).normal(size=(4, EDGES * OPERATIONS))
    found = kernel_at(particles, posterior)
    k = gaussian_kernel(expected_predictions(posterior), particles)
    np.testing.assert_allclose(found.values, [[k(a, b) for b in particles] for a in particles], atol=1e-12)
    for j, x in enumerate(particles):
        slope = finite_differences(lambda a: sum(k(a, b) for b in particles), x)
        repulsion = sum(finite_differences(lambda a, x=x: k(a, x), b) for b in particles)
        np.testing.assert_allclose(found.slope[j], slope, atol=1e-8)
        np.testing.assert_allclose(found.repulsion[j], repulsion, atol=1e-8)


@pytest.mark.parametrize("delta", [-0.3, 0.0, 1.7])
def test_the_direction_is_the_gradient_of_the_functional(delta: float) -> None:
    rng = np.random.default_rng(2)
    particles = rng.normal(size=(4, EDGES * OPERATIONS))
    k = gaussian_kernel(expected_predictions(RESTRICTED), particles)
    gradient = log_density_gradient(particles, RESTRICTED, SIGMA)
    phi = direction(kernel_at(particles, RESTRICTED), gradient, delta)
    for _ in range(3):
        coefficients = rng.normal(size=particles.shape)
        slope = slope_of_the_functional(particles, coefficients, k, RESTRICTED, SIGMA, delta)
        assert np.sum(coefficients * phi) == pytest.approx(-slope, rel=1e-5, abs=1e-6)


def test_predictions_as_different_as_the_strings_give_back_svgd_rd() -> None:
    """With φ(A) = onehot(A), a uniform posterior and large σ, f(x) is x up to a factor and each edge's mean."""
    uniform, sigma = Posterior.uniform(SPACE, OPERATIONS), 1e3
    particles = np.random.default_rng(3).normal(size=(2, 5, EDGES, OPERATIONS))
    particles = (particles - particles.mean(-1, keepdims=True)).reshape(2, 5, -1)
    weights = uniform.tilted_probabilities(tilt_at(particles, uniform, sigma))
    predictions = OPERATIONS * sigma**2 * (uniform.one_hots - 1 / OPERATIONS)
    found = kernel_of(weights, uniform.one_hots, predictions @ predictions.T, sigma)
    for mine, theirs in zip(found, svgd_rd.kernel_of(particles), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_ensembles_are_independent() -> None:
    particles = np.random.default_rng(4).normal(size=(2, 3, 5, EDGES * OPERATIONS))
    together, alone = kernel_at(particles, RESTRICTED), kernel_at(particles[1, 2], RESTRICTED)
    for of_all, of_one in zip(together, alone, strict=True):
        np.testing.assert_allclose(of_all[1, 2], of_one, atol=1e-12)


def test_members_that_predict_the_same_are_pushed_apart_whatever_their_strings() -> None:
    """Here only the first of two edges matters to predictions. To SVGD-RD one difference is as good as the other."""
    support = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int8)
    pool = Posterior(np.array([[0.5, -0.5], [0.0, 0.0]]), support)
    predictions = np.eye(2)[support[:, 0]]
    weights = pool.tilted_probabilities(tilt_at(pool.one_hots[:3], pool, 1.0))
    by_predictions = kernel_of(weights, pool.one_hots, predictions @ predictions.T, 1.0).values
    by_strings = svgd_rd.kernel_of(pool.one_hots[:3]).values
    assert by_predictions[0, 1] == pytest.approx(1)
    assert by_predictions[0, 2] < 0.9
    assert by_strings[0, 1] == by_strings[0, 2] < 0.9

    def share_of_different_predictions(drawn: np.ndarray) -> float:
        return float((support[drawn[:, 0], 0] != support[drawn[:, 1], 0]).mean())

    ours = SVGDPredictions(delta=3).draw(pool, predictions @ predictions.T, 2, np.random.default_rng(5), 100)
    theirs = svgd_rd.SVGDRD(delta=3).draw(pool, 2, np.random.default_rng(5), 100)
    assert share_of_different_predictions(ours) > 0.95
    assert share_of_different_predictions(theirs) < 0.8


def test_a_lone_particle_climbs_to_a_mode() -> None:
    gram = predictions_of(RESTRICTED) @ predictions_of(RESTRICTED).T
    sampler = SVGDPredictions(delta=0, sigma=0.4, step_size=0.5)
    end = sampler.particles(RESTRICTED, gram, 1, np.random.default_rng(6), 6)
    assert np.abs(log_density_gradient(end, RESTRICTED, 0.4)).max() < 1e-8
    assert min(log_density(x, RESTRICTED, 0.4) for x in end[:, 0]) > log_density(np.zeros(9), RESTRICTED, 0.4) + 1


def test_similarity_falls_as_delta_rises() -> None:
    """Until predictions lie as far apart as the pool's go, which they do at δ = 3 here."""
    predictions = predictions_of(RESTRICTED)

    def similarity(delta: float) -> float:
        sampler = SVGDPredictions(delta=delta, steps=300)
        particles = sampler.particles(RESTRICTED, predictions @ predictions.T, 4, np.random.default_rng(7), 5)
        f = RESTRICTED.tilted_probabilities(tilt_at(particles, RESTRICTED, sampler.sigma)) @ predictions
        return float(np.exp(-pairwise_squared(f) / 2).mean())

    assert (np.diff([similarity(delta) for delta in (-0.5, 0.0, 0.5, 1.0, 3.0)]) < -0.01).all()


def test_a_factor_or_a_vector_added_to_all_predictions_changes_nothing() -> None:
    predictions = predictions_of(RESTRICTED)
    moved = 1e-4 * (predictions + np.arange(5))
    first, second = (
        SVGDPredictions(steps=20).particles(RESTRICTED, rows @ rows.T, 4, np.random.default_rng(8), 3)
        for rows in (predictions, moved)
    )
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_where_all_predict_the_same_nothing_holds_members_apart() -> None:
    """Particles then see one kernel of 1 everywhere, and move as one to the mode of the mean."""
    particles = SVGDPredictions(delta=3).particles(WHOLE, np.ones((27, 27)), 3, np.random.default_rng(9), 4)
    start = SVGDPredictions(delta=3, steps=1, step_size=1e-9).particles(
        WHOLE, np.ones((27, 27)), 3, np.random.default_rng(9), 4
    )
    np.testing.assert_allclose(pairwise_squared(particles), pairwise_squared(start), rtol=1e-6)


def test_the_same_seed_draws_the_same() -> None:
    gram = predictions_of(RESTRICTED) @ predictions_of(RESTRICTED).T
    first, second = (
        SVGDPredictions(steps=50).draw(RESTRICTED, gram, 4, np.random.default_rng(10), 6) for _ in range(2)
    )
    assert first.shape == (6, 4)
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(
    ("gram", "n", "message"),
    [
        (np.eye(27), 3, r"has shape \(27, 27\); give finite numbers, one for each pair of 11"),
        (np.full((11, 11), np.nan), 3, "is not finite everywhere"),
        (np.eye(11) + np.eye(11, k=1), 3, "differs from its transpose by 1"),
        (np.ones((11, 11)) - 2 * np.eye(11), 3, "has the eigenvalue -2"),
        (np.eye(11), 12, "ensembles of 12 were asked for, drawn from 11"),
    ],
)
def test_bad_input_is_refused(gram: np.ndarray, n: int, message: str) -> None:
    with pytest.raises(NessBenchError, match=message):
        SVGDPredictions(steps=1).draw(RESTRICTED, gram, n, np.random.default_rng(0), 1)
