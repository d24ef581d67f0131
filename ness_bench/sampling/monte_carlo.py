"""Monte Carlo sampling, the plainer of NESS's two samplers: members are drawn from q_α independently."""

import numpy as np
import numpy.typing as npt

from ness_bench.sampling.posterior import Posterior


def draw(posterior: Posterior, n: int, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """`size` ensembles of `n` members, as indices into the support: [size, n]. A member may come up twice.

    Raises:
        NessBenchError: n is below 1, or above the number of architectures in the support.
    """
    posterior.require_ensembles_of(n)
    return posterior.sample((size, n), rng)
