"""What the tests of particles compare with: the density, kernels and the functional, as their definitions have them."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from ness_bench.sampling.posterior import Posterior

EDGES, OPERATIONS = 3, 3
SPACE = np.array(list(itertools.product(range(OPERATIONS), repeat=EDGES)), np.int8)
LOGITS = np.random.default_rng(0).normal(size=(EDGES, OPERATIONS))
WHOLE = Posterior(LOGITS, SPACE)
RESTRICTED = Posterior(LOGITS, np.random.default_rng(1).permutation(SPACE)[:11])
BOTH = pytest.mark.parametrize("posterior", [WHOLE, RESTRICTED], ids=["whole", "restricted"])

Kernel = Callable[[np.ndarray, np.ndarray], float]


def one_hot(architecture: np.ndarray) -> np.ndarray:
    return np.array([float(o == operation) for operation in architecture for o in range(OPERATIONS)])


def components(x: np.ndarray, posterior: Posterior, sigma: float) -> np.ndarray:
    """q(A) N(x; onehot(A), σ² I) of every architecture."""
    distances = np.array([np.sum((x - one_hot(architecture)) ** 2) for architecture in posterior.support])
    normal = np.exp(-distances / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** (len(x) / 2)
    return posterior.probabilities * normal


def log_density(x: np.ndarray, posterior: Posterior, sigma: float) -> float:
    return float(np.log(components(x, posterior, sigma).sum()))


def finite_differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[place] = step
        gradient[place] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


def pairwise_squared(points: np.ndarray) -> np.ndarray:
    return ((points[..., :, None, :] - points[..., None, :, :]) ** 2).sum(-1)


def gaussian_kernel(features: Callable[[np.ndarray], np.ndarray], particles: np.ndarray) -> Kernel:
    """exp(−‖f(x) − f(x')‖² / h) with h from the median over pairs of these particles, held."""
    distances = [np.sum((features(a) - features(b)) ** 2) for a, b in itertools.combinations(particles, 2)]
    h = np.median(distances) / np.log(len(particles))
    return lambda a, b: float(np.exp(-np.sum((features(a) - features(b)) ** 2) / h))


def slope_of_the_functional(
    particles: np.ndarray, coefficients: np.ndarray, k: Kernel, posterior: Posterior, sigma: float, delta: float
) -> float:
    """d/dε of KL(q‖p) + n δ E[k] as all space flows by ε ψ, with ψ(x) = Σ_m c_m k(x_m, x); −⟨φ, ψ⟩ if φ is right.

    q is a density of which the particles are samples. By the change of variables, KL(q_ε ‖ p) is a constant
    − E_q[log p(x + ε ψ(x)) + log det(I + ε ∂ψ/∂x)].
    """
    n, dimensions = particles.shape

    def flow(x: np.ndarray) -> np.ndarray:
        return sum(c * k(centre, x) for c, centre in zip(coefficients, particles, strict=True))

    moves = np.array([flow(x) for x in particles])
    steps = 1e-5 * np.eye(dimensions)
    jacobians = [np.array([flow(x + step) - flow(x - step) for step in steps]).T / 2e-5 for x in particles]

    def functional(epsilon: float) -> float:
        moved = particles + epsilon * moves
        likelihood = sum(log_density(x, posterior, sigma) for x in moved)
        volume = sum(np.linalg.slogdet(np.eye(dimensions) + epsilon * jacobian)[1] for jacobian in jacobians)
        similarity = sum(k(a, b) for a in moved for b in moved)
        return (-likelihood - volume + delta * similarity) / n

    return (functional(1e-4) - functional(-1e-4)) / 2e-4
