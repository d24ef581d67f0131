"""NESS with SVGD-RD: ensembles drawn whole, their members pushed apart (Shu et al., arXiv 2109.02533)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.methods.method import register
from ness_bench.methods.ness import Ness
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd_rd import SVGDRD
from ness_bench.tasks.task import Supernet, Task


@register("ness-svgd-rd")
@dataclass(frozen=True)
class NessSVGDRD(Ness):
    """NESS; ensembles are drawn by Stein variational gradient descent with regularised diversity.

    Attributes:
        delta: δ, the weight of diversity; see `sampling.svgd_rd`.
        sigma: σ, the width of the density around each architecture.
        steps: of the particles.
    """

    delta: float = SVGDRD.delta
    sigma: float = SVGDRD.sigma
    steps: int = SVGDRD.steps

    def __post_init__(self) -> None:
        super().__post_init__()
        self._sampler()  # refuses what it cannot work with

    def _sampler(self) -> SVGDRD:
        return SVGDRD(delta=self.delta, sigma=self.sigma, steps=self.steps)

    def draw(
        self, posterior: Posterior, supernet: Supernet, task: Task, rng: np.random.Generator
    ) -> npt.NDArray[np.int8]:
        return posterior.support[self._sampler().draw(posterior, task.ensemble_size, rng, self.draws)]
