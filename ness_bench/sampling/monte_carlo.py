"""Monte Carlo sampling, the plainer of NESS's two samplers: members are drawn from q_α independently."""

import numpy as np
import numpy.typing as npt

from ness_bench.sampling.posterior import Posterior


def draw(posterior: Posterior, n: int, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """`size` ensembles of `n` members, as indices into the support: [size, n]. A member may come up twice."""
    return rng.choice(len(posterior.support), size=(size, n), p=posterior.probabilities)
