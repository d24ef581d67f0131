import itertools
from dataclasses import replace

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd_rd import SVGDRD, decode, direction, log_density_gradient, median_bandwidth

EDGES, OPERATIONS = 3, 3
SPACE = np.array(list(itertools.product(range(OPERATIONS), repeat=EDGES)), np.int8)
LOGITS = np.random.default_rng(0).normal(size=(EDGES, OPERATIONS))
WHOLE = Posterior(LOGITS, SPACE)
RESTRICTED = Posterior(LOGITS, np.random.default_rng(1).permutation(SPACE)[:11])
BOTH = pytest.mark.parametrize("posterior", [WHOLE, RESTRICTED], ids=["whole", "restricted"])


def one_hot(architecture: np.ndarray) -> np.ndarray:
    return np.array([float(o == operation) for operation in architecture for o in range(OPERATIONS)])


def log_density(x: np.ndarray, posterior: Posterior, sigma: float) -> float:
    """log Σ_A q(A) N(x; onehot(A), σ² I), component by component."""
    density = 0.0
    for q, architecture in zip(posterior.probabilities, posterior.support, strict=True):
        distance = np.sum((x - one_hot(architecture)) ** 2)
        density += q * np.exp(-distance / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** (len(x) / 2)
    return float(np.log(density))


def finite_differences(function, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[place] = step
        gradient[place] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


def pairwise_squared(particles: np.ndarray) -> np.ndarray:
    return ((particles[..., :, None, :] - particles[..., None, :, :]) ** 2).sum(-1)


@BOTH
def test_the_gradient_is_that_of_the_mixture(posterior: Posterior) -> None:
    particles, sigma = np.random.default_rng(2).normal(size=(2, 3, EDGES * OPERATIONS)), 0.6
    gradient = log_density_gradient(particles, posterior, sigma)
    for place in np.ndindex(2, 3):
        expected = finite_differences(lambda x: log_density(x, posterior, sigma), particles[place])
        np.testing.assert_allclose(gradient[place], expected, atol=1e-7)


@pytest.mark.parametrize("delta", [-0.3, 0.0, 1.7])
def test_the_direction_is_the_functional_gradient(delta: float) -> None:
    """φ(x_i) = 1/n Σ_j {k(x_j, x_i) D_j + ∇_{x_j} k(x_j, x_i)}, its derivatives taken by finite differences.

    D is the derivative of Σ_j log p(x_j) − δ Σ_{j,l} k(x_j, x_l), the bandwidth held.
    """
    particles, n = np.random.default_rng(3).normal(size=(4, EDGES * OPERATIONS)), 4
    distances = [np.sum((a - b) ** 2) for a, b in itertools.combinations(particles, 2)]
    h = np.median(distances) / np.log(n)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / h))

    def objective(points: np.ndarray) -> float:
        similarity = sum(k(a, b) for a in points for b in points)
        return sum(log_density(x, RESTRICTED, 0.8) for x in points) - delta * similarity

    drift = finite_differences(objective, particles)
    expected = np.zeros_like(particles)
    for i, j in itertools.product(range(n), repeat=2):
        expected[i] += k(particles[j], particles[i]) * drift[j]
        expected[i] += finite_differences(lambda x, i=i: k(x, particles[i]), particles[j])
    phi = direction(particles, log_density_gradient(particles, RESTRICTED, 0.8), delta)
    np.testing.assert_allclose(phi, expected / n, atol=1e-7)


def test_ensembles_are_independent() -> None:
    rng = np.random.default_rng(4)
    particles, gradient = rng.normal(size=(2, 3, 5, 9)), rng.normal(size=(2, 3, 5, 9))
    together = direction(particles, gradient, 1.0)
    np.testing.assert_allclose(together[1, 2], direction(particles[1, 2], gradient[1, 2], 1.0), atol=1e-12)


def test_the_bandwidth_lets_neighbours_weigh_as_much_as_the_particle() -> None:
    simplex = np.eye(6)  # all pairs equally far
    squared = pairwise_squared(simplex)
    kernel = np.exp(-squared / median_bandwidth(squared))
    np.testing.assert_allclose(kernel.sum(1), 1 + 5 / 6)


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
    sampler = SVGDRD(delta=0, sigma=sigma, steps=400, step_size=1.0)
    reached = [discrepancy(sampler.particles(posterior, n, rng, 1)[0]) for n in (3, 12, 48)]
    samples = [corners[rng.choice(2, 48, p=q)] + sigma * rng.normal(size=(48, 2)) for _ in range(20)]
    assert reached[0] > 2 * reached[1] > 4 * reached[2]
    assert reached[2] < 0.2 * np.mean([discrepancy(x) for x in samples])


@BOTH
def test_similarity_falls_as_delta_rises(posterior: Posterior) -> None:
    samplers = [SVGDRD(delta=delta, steps=200) for delta in (-0.5, 0.0, 1.0, 3.0, 10.0)]
    ensembles = [sampler.particles(posterior, 5, np.random.default_rng(7), 5) for sampler in samplers]
    similarity = [np.exp(-pairwise_squared(particles) / 20).mean() for particles in ensembles]
    assert (np.diff(similarity) < -0.02).all()


def test_a_negative_delta_collapses_the_ensemble() -> None:
    def ensembles(delta: float) -> np.ndarray:
        sampler = SVGDRD(delta=delta, steps=2000, step_size=0.1)
        return sampler.particles(WHOLE, 3, np.random.default_rng(8), 6)

    spread, collapsed = ensembles(0.0), ensembles(-0.75)
    assert np.median(pairwise_squared(collapsed)) < 0.02 * np.median(pairwise_squared(spread))
    distinct = [np.mean([len(set(row)) for row in decode(x, WHOLE)]) for x in (spread, collapsed)]
    assert distinct[0] > 2.5
    assert distinct[1] < 1.5


@BOTH
def test_a_particle_stands_for_the_nearest_architecture(posterior: Posterior) -> None:
    particles = np.random.default_rng(9).normal(size=(4, 25, EDGES * OPERATIONS))
    decoded = decode(particles, posterior)
    corners = np.array([one_hot(architecture) for architecture in posterior.support])
    for place in np.ndindex(4, 25):
        assert decoded[place] == ((corners - particles[place]) ** 2).sum(1).argmin()
    if posterior is WHOLE:
        edge_by_edge = particles.reshape(4, 25, EDGES, OPERATIONS).argmax(-1)
        np.testing.assert_array_equal(SPACE[decoded], edge_by_edge)


def test_the_same_seed_draws_the_same() -> None:
    first, second = (SVGDRD(steps=50).draw(RESTRICTED, 4, np.random.default_rng(10), 6) for _ in range(2))
    assert first.shape == (6, 4)
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("bad", [{"sigma": 0.0}, {"step_size": -1.0}, {"steps": 0}])
def test_bad_constants_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(NessBenchError, match=f"{next(iter(bad))} is {next(iter(bad.values()))}; it must be"):
        replace(SVGDRD(), **bad)
