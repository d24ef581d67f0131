"""SVGD-RD on predictions: particles hold each other apart where what they stand for predicts alike. Source: ours.

`svgd_rd` compares architectures: two that differ in an edge count as different, also where both compute nearly the
same; and an ensemble gains from members that predict differently. Objective, density and step are those of `svgd`,
on a pool of architectures whose predictions are known, the support of the posterior; the kernel is

    k(x, x') = exp(−‖f(x) − f(x')‖² / h)    with    f(x) = Σ_A w_A(x) φ(A)

and the median bandwidth h. φ(A) are the predictions of A, and w_A(x) = p(A | x) the posterior with logits α + x/σ²,
as in the gradient of log p: a particle predicts what is expected of the architecture that it is a noisy picture of.
Predictions enter through their Gram matrix G = ΦΦᵀ only, since ‖f(x) − f(x')‖² = (w − w')ᵀ G (w − w').

As softmax weights, w has the Jacobian ∂w_A/∂x = w_A (onehot(A) − E) / σ² with E = Σ_A w_A onehot(A), so that

    ∇_x k(x, x') = −2/h k(x, x') J(x)ᵀ G (w − w')    with    J(x)ᵀ a = 1/σ² Σ_A w_A a_A (onehot(A) − E)
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.sampling.gram import require_gram
from ness_bench.sampling.posterior import Floats, Posterior
from ness_bench.sampling.svgd import SVGD, Kernel, decode, direction, median_bandwidth, tilt_at


def kernel_of(weights: Floats, one_hots: Floats, gram: Floats, sigma: float) -> Kernel:
    """k of an ensemble's particles, from w at each; the bandwidth counts as fixed.

    Args:
        weights: w, [..., n, size]; leading axes are independent ensembles.
        one_hots: of the support, [size, dimensions].
        gram: G, [size, size].
        sigma: σ.
    """
    products = weights @ gram  # a row an x: how much f(x) has of each φ(A)
    inner = products @ weights.swapaxes(-1, -2)
    squared_norms = np.diagonal(inner, axis1=-2, axis2=-1)
    squared_distances = np.maximum(squared_norms[..., :, None] + squared_norms[..., None, :] - 2 * inner, 0)
    h = median_bandwidth(squared_distances)[..., None, None]
    values = np.exp(-squared_distances / h)
    expected = weights @ one_hots
    # Σ_l k_jl J(x_j)ᵀ (G w_j − G w_l)
    at_own = weights * (values.sum(-1, keepdims=True) * products - values @ products)
    own = at_own @ one_hots - at_own.sum(-1, keepdims=True) * expected
    # Σ_l k_lj J(x_l)ᵀ (G w_l − G w_j), summed over l before one-hot vectors come in: no array has n · n · size entries
    at_others = values @ (weights * products) - products * (values @ weights)
    others = at_others @ one_hots - (values * (squared_norms[..., None, :] - inner)) @ expected
    scale = -2 / (h * sigma**2)
    return Kernel(values, scale * own, scale * others)


@dataclass(frozen=True)
class SVGDPredictions(SVGD):
    """The sampler and its constants; the defaults are those of `svgd_rd.SVGDRD`.

    On pools of 50 and 200 architectures with made-up predictions, some smooth in the architecture and some not:

    - δ = 0 may leave an ensemble in one place, since the kernel does not see where predictions do not change.
    - At δ = 1 members predict as differently as any two of the pool do on average. More δ parts the particles
      further, but hardly the members.
    """

    def particles(self, posterior: Posterior, gram: Floats, n: int, rng: np.random.Generator, size: int) -> Floats:
        """Where `size` ensembles of `n` particles end that start as draws from p: [size, n, edges * operations].

        Args:
            posterior: on a pool of architectures.
            gram: G, inner products of their predictions, [architectures, architectures]. A factor, or a vector added
                to all predictions, changes nothing.

        Raises:
            NessBenchError: G has another shape, or is not finite, symmetric and positive semi-definite.
        """
        gram = require_gram(gram, len(posterior.support), "the Gram matrix of predictions")
        centred = gram - gram.mean(0) - gram.mean(1, keepdims=True) + gram.mean()  # differences lose fewer digits
        centred /= max(centred.diagonal().max(), np.finfo(np.float64).tiny)  # far above the smallest bandwidth

        def direction_at(particles: Floats) -> Floats:
            weights = posterior.tilted_probabilities(tilt_at(particles, posterior, self.sigma))
            gradient = (weights @ posterior.one_hots - particles) / self.sigma**2
            return direction(kernel_of(weights, posterior.one_hots, centred, self.sigma), gradient, self.delta)

        return self.move(direction_at, posterior, n, rng, size)

    def draw(
        self, posterior: Posterior, gram: Floats, n: int, rng: np.random.Generator, size: int
    ) -> npt.NDArray[np.int64]:
        """`size` ensembles of `n` members, as indices into the support: [size, n].

        Args:
            posterior: on a pool of architectures.
            gram: G, see `particles`.

        Raises:
            NessBenchError: G is unusable, or n is below 1 or above the number of architectures in the support.
        """
        posterior.require_ensembles_of(n)
        return decode(self.particles(posterior, gram, n, rng, size), posterior)
