"""NESS with SVGD-RD whose kernel compares predictions in place of architectures. Source: ours.

The particles of `ness-svgd-rd` hold each other apart where their architectures are alike, whether or not these
predict alike. Here they do where their inherited-weight validation predictions are alike; all else is NESS.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.methods.method import register
from ness_bench.methods.ness_svgd_rd import NessSVGDRD
from ness_bench.methods.predicted_pool import POOL, predicted_pool, require_pool
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd_predictions import SVGDPredictions
from ness_bench.tasks.task import Supernet, Task


@register("ness-svgd-predictions")
@dataclass(frozen=True)
class NessSVGDPredictions(NessSVGDRD):
    """NESS; SVGD-RD with a kernel on inherited-weight predictions (ours).

    Attributes:
        pool: architectures drawn from the posterior, no network twice, whose predictions are paid and compared.
    """

    pool: int = POOL

    def __post_init__(self) -> None:
        super().__post_init__()
        require_pool(self.pool)

    def draw(
        self, posterior: Posterior, supernet: Supernet, task: Task, rng: np.random.Generator
    ) -> npt.NDArray[np.int8]:
        pool, predictions = predicted_pool(posterior, supernet, self.pool, task.ensemble_size, rng)
        flat = predictions.reshape(len(predictions), -1).astype(np.float64)
        sampler = SVGDPredictions(delta=self.delta, sigma=self.sigma, steps=self.steps)
        return pool.support[sampler.draw(pool, flat @ flat.T, task.ensemble_size, rng, self.draws)]
