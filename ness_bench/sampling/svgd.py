"""Stein variational gradient descent with regularised diversity, whatever the kernel k.

The distribution q of n particles moves towards

    q* = argmin KL(q ‖ p) + n δ E_{x,x'~q}[k(x, x')]

which is NESS's objective (Shu et al., arXiv 2109.02533): without the second term it is that of Stein variational
gradient descent (Liu & Wang, NeurIPS 2016). A particle x is a point in R^(edges * operations), and p is the posterior
carried over to such points:

    p(x) = Σ_A q_α(A) N(x; onehot(A), σ² I)

The step is x_i += ε φ(x_i), where φ is the direction of steepest descent in the kernel's Hilbert space (derivation
ours):

    φ(x) = 1/n Σ_j { k(x_j, x) [∇log p(x_j) − 2δ Σ_l ∇_{x_j} k(x_j, x_l)] + ∇_{x_j} k(x_j, x) }

In the end a particle stands for the architecture whose one-hot vector is nearest. What a kernel compares is for the
samplers to say: `svgd_rd` the particles themselves, `svgd_predictions` what they predict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Floats, Posterior

SMALLEST_BANDWIDTH = 1e-12
"""Keeps divisions by the bandwidth finite where particles coincide."""


class Kernel(NamedTuple):
    """How alike the particles of an ensemble are, and how that changes where they move.

    Attributes:
        values: k(x_j, x_l), [..., n, n].
        slope: Σ_l ∇_{x_j} k(x_j, x_l), how alike x_j becomes to all as it moves: [..., n, dimensions].
        repulsion: Σ_l ∇_{x_l} k(x_l, x_j), away from where the others are alike to x_j: [..., n, dimensions].
    """

    values: Floats
    slope: Floats
    repulsion: Floats


def log_density_gradient(particles: Floats, posterior: Posterior, sigma: float) -> Floats:
    """∇log p at particles [..., edges * operations]; the same shape.

    ∇log p(x) = (E[onehot(A) | x] − x) / σ². Source: ours.
    """
    expected_one_hot = posterior.tilted_marginals(tilt_at(particles, posterior, sigma)).reshape(particles.shape)
    gradient: Floats = (expected_one_hot - particles) / sigma**2
    return gradient


def tilt_at(particles: Floats, posterior: Posterior, sigma: float) -> Floats:
    """By how much a particle x shifts the logits: A given x is the posterior with logits α + x/σ². Source: ours.

    That is Bayes' rule, in which ‖x − onehot(A)‖² varies with x · onehot(A) only, as all one-hot vectors have the
    same length.

    Args:
        particles: [..., edges * operations].

    Returns:
        [..., edges, operations].
    """
    return particles.reshape(*particles.shape[:-1], *posterior.logits.shape) / sigma**2


def median_bandwidth(squared_distances: Floats) -> Floats:
    """h of the kernel exp(−‖x − x'‖² / h): the median of ‖x − x'‖² over pairs, divided by log n.

    A particle's neighbours then weigh about as much together as the particle itself (Liu & Wang, section 5).

    Args:
        squared_distances: [..., n, n].

    Returns:
        [...]; 1 for a single particle, which has no pair and needs none.
    """
    n = squared_distances.shape[-1]
    if n == 1:
        return np.ones(squared_distances.shape[:-2])
    first, second = np.triu_indices(n, 1)
    median = np.median(squared_distances[..., first, second], axis=-1)
    bandwidth: Floats = np.maximum(median / np.log(n), SMALLEST_BANDWIDTH)
    return bandwidth


def direction(kernel: Kernel, gradient: Floats, delta: float) -> Floats:
    """φ at every particle, [..., n, dimensions].

    Args:
        kernel: of the particles; leading axes are independent ensembles.
        gradient: ∇log p at the particles, [..., n, dimensions].
        delta: δ.
    """
    drift = gradient - 2 * delta * kernel.slope
    phi: Floats = (kernel.values @ drift + kernel.repulsion) / gradient.shape[-2]
    return phi


def decode(particles: Floats, posterior: Posterior) -> npt.NDArray[np.int64]:
    """The architectures nearest to particles [..., edges * operations], as indices into the support, [...].

    One-hot vectors have the same length, so that the nearest is the one with the largest inner product.
    """
    nearest: npt.NDArray[np.int64] = (particles @ posterior.one_hots.T).argmax(-1)
    return nearest


@dataclass(frozen=True)
class SVGD:
    """The constants that all kernels share, and the way of the particles.

    Attributes:
        delta: δ, the weight of diversity: δ > 0 penalises similar members, δ < 0 rewards them.
        sigma: σ, the width of a one-hot vector's well; one-hot vectors that differ in one edge are √2 apart.
        steps: of the particles.
        step_size: ε in units of σ²; at 1 a lone particle's step is a mean shift, to E[onehot(A) | x].

    Raises:
        NessBenchError: `sigma` or `step_size` is not above 0, `delta` not finite, or `steps` below 1.
    """

    delta: float = 1.0
    sigma: float = 1.0
    steps: int = 500
    step_size: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("sigma", self.sigma), ("step_size", self.step_size)):
            if not 0 < value < np.inf:
                raise NessBenchError(f"{name} is {value}; it must be above 0 and finite")
        if not np.isfinite(self.delta):
            raise NessBenchError(f"delta is {self.delta}; it must be finite (0 is plain SVGD)")
        if self.steps < 1:
            raise NessBenchError(f"steps is {self.steps}; it must be at least 1")

    def move(
        self,
        direction_at: Callable[[Floats], Floats],
        posterior: Posterior,
        n: int,
        rng: np.random.Generator,
        size: int,
    ) -> Floats:
        """Where `size` ensembles of `n` particles end that start as draws from p: [size, n, edges * operations].

        Args:
            direction_at: particles to φ, both [size, n, edges * operations].
        """
        centres = posterior.one_hots[posterior.sample((size, n), rng)]
        particles = centres + self.sigma * rng.standard_normal(centres.shape)
        for _ in range(self.steps):
            particles = particles + self.step_size * self.sigma**2 * direction_at(particles)
        return particles
