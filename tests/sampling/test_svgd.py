import numpy as np
import pytest
from mixtures import (
    BOTH,
    EDGES,
    OPERATIONS,
    SPACE,
    WHOLE,
    finite_differences,
    log_density,
    one_hot,
    pairwise_squared,
)

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd import SVGD, decode, log_density_gradient, median_bandwidth


@BOTH
def test_the_gradient_is_that_of_the_mixture(posterior: Posterior) -> None:
    particles, sigma = np.random.default_rng(2).normal(size=(2, 3, EDGES * OPERATIONS)), 0.6
    gradient = log_density_gradient(particles, posterior, sigma)
    for place in np.ndindex(2, 3):
        expected = finite_differences(lambda x: log_density(x, posterior, sigma), particles[place])
        np.testing.assert_allclose(gradient[place], expected, atol=1e-7)


def test_the_bandwidth_lets_neighbours_weigh_as_much_as_the_particle() -> None:
    simplex = np.eye(6)  # all pairs equally far
    squared = pairwise_squared(simplex)
    kernel = np.exp(-squared / median_bandwidth(squared))
    np.testing.assert_allclose(kernel.sum(1), 1 + 5 / 6)


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


@pytest.mark.parametrize(
    "bad",
    [{"sigma": 0.0}, {"sigma": -1.0}, {"sigma": np.nan}, {"step_size": -1.0}, {"steps": 0}, {"delta": np.nan}],
)
def test_bad_constants_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(NessBenchError, match=f"{next(iter(bad))} is {next(iter(bad.values()))}; it must be"):
        SVGD(**bad)
