import numpy as np
import pytest
from mixtures import (
    BOTH,
    EDGES,
    OPERATIONS,
    RESTRICTED,
    WHOLE,
    gaussian_kernel,
    log_density,
    pairwise_squared,
    slope_of_the_functional,
)

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd import decode, direction, log_density_gradient
from ness_bench.sampling.svgd_rd import SVGDRD, kernel_of


@pytest.mark.parametrize("delta", [-0.3, 0.0, 1.7])
@BOTH
def test_the_direction_is_the_gradient_of_the_functional(posterior: Posterior, delta: float) -> None:
    rng, sigma = np.random.default_rng(3), 0.8
    particles = rng.normal(size=(4, EDGES * OPERATIONS))
    k = gaussian_kernel(lambda x: x, particles)
    phi = direction(kernel_of(particles), log_density_gradient(particles, posterior, sigma), delta)
    for _ in range(3):
        coefficients = rng.normal(size=particles.shape)
        slope = slope_of_the_functional(particles, coefficients, k, posterior, sigma, delta)
        assert np.sum(coefficients * phi) == pytest.approx(-slope, rel=1e-5, abs=1e-6)


def test_ensembles_are_independent() -> None:
    rng = np.random.default_rng(4)
    particles, gradient = rng.normal(size=(2, 3, 5, 9)), rng.normal(size=(2, 3, 5, 9))
    together = direction(kernel_of(particles), gradient, 1.0)
    alone = direction(kernel_of(particles[1, 2]), gradient[1, 2], 1.0)
    np.testing.assert_allclose(together[1, 2], alone, atol=1e-12)


@BOTH
def test_a_lone_particle_climbs_to_a_mode(posterior: Posterior) -> None:
    start, end = (
        SVGDRD(delta=0, sigma=0.4, steps=steps, step_size=step_size).particles(
            posterior, 1, np.random.default_rng(5), 6
        )
        for steps, step_size in ((1, 1e-9), (500, 0.5))
    )
    for before, after in zip(start[:, 0], end[:, 0], strict=True):
        assert log_density(after, posterior, 0.4) > log_density(before, posterior, 0.4) + 1
    assert np.abs(log_density_gradient(end, posterior, 0.4)).max() < 1e-8


def test_many_particles_match_the_density() -> None:
    """Maximum mean discrepancy to p, which is a closed form for a Gaussian kernel, falls with n and beats chance."""
    posterior, sigma = Posterior(np.array([[0.4, -0.4]]), np.array([[0], [1]], np.int8)), 0.5
    q, corners, bandwidth = posterior.probabilities, np.eye(2), 0.3

    def mean_kernel(a: np.ndarray, b: np.ndarray, variance: float) -> np.ndarray:
        """E exp(−‖a + z − b‖² / 2 bandwidth) with z of this variance an axis, in two dimensions."""
        squared = ((a[:, None] - b[None]) ** 2).sum(-1)
        return bandwidth / (bandwidth + variance) * np.exp(-squared / (2 * (bandwidth + variance)))

    def discrepancy(x: np.ndarray) -> float:
        within_p = q @ mean_kernel(corners, corners, 2 * sigma**2) @ q
        return float(mean_kernel(x, x, 0).mean() - 2 * (mean_kernel(x, corners, sigma**2) @ q).mean() + within_p)

    rng = np.random.default_rng(6)
    sampler = SVGDRD(delta=0, sigma=sigma, steps=400)
    reached = {n: discrepancy(sampler.particles(posterior, n, rng, 1)[0]) for n in (4, 16, 64)}
    by_chance = [discrepancy(corners[rng.choice(2, 64, p=q)] + sigma * rng.normal(size=(64, 2))) for _ in range(20)]
    assert reached[4] > 2 * reached[16] > 4 * reached[64]
    assert reached[64] < 0.2 * np.mean(by_chance)


@BOTH
def test_similarity_falls_as_delta_rises(posterior: Posterior) -> None:
    samplers = [SVGDRD(delta=delta, steps=200) for delta in (-0.5, 0.0, 1.0, 3.0, 10.0)]
    ensembles = [sampler.particles(posterior, 5, np.random.default_rng(7), 5) for sampler in samplers]
    similarity = [np.exp(-pairwise_squared(particles) / 20).mean() for particles in ensembles]
    assert (np.diff(similarity) < -0.02).all()


def test_a_negative_delta_collapses_the_ensemble() -> None:
    def ensembles(delta: float) -> np.ndarray:
        sampler = SVGDRD(delta=delta, steps=1000, step_size=0.1)
        return sampler.particles(WHOLE, 3, np.random.default_rng(8), 40)

    spread, collapsed = ensembles(0.0), ensembles(-0.75)
    assert np.median(pairwise_squared(collapsed)) < 0.02 * np.median(pairwise_squared(spread))
    distinct = [np.mean([len(set(row)) for row in decode(x, WHOLE)]) for x in (spread, collapsed)]
    assert distinct[0] > 2.8
    assert distinct[1] < 2.0


def test_the_same_seed_draws_the_same() -> None:
    first, second = (SVGDRD(steps=50).draw(RESTRICTED, 4, np.random.default_rng(10), 6) for _ in range(2))
    assert first.shape == (6, 4)
    assert first.tobytes() == second.tobytes()


def test_ensembles_larger_than_the_support_are_refused() -> None:
    for n, message in ((0, "ensembles of 0"), (12, "ensembles of 12 were asked for, drawn from 11 architectures")):
        with pytest.raises(NessBenchError, match=message):
            SVGDRD(steps=1).draw(RESTRICTED, n, np.random.default_rng(11), 1)
    assert len(set(SVGDRD(steps=1).draw(RESTRICTED, 11, np.random.default_rng(11), 1)[0])) <= 11
