"""NESS with Monte Carlo sampling: n independent draws from the posterior (Shu et al., arXiv 2109.02533)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.methods.method import register
from ness_bench.methods.ness import Ness
from ness_bench.sampling import monte_carlo
from ness_bench.sampling.posterior import Posterior
from ness_bench.tasks.task import Supernet, Task


@register("ness-mc")
@dataclass(frozen=True)
class NessMC(Ness):
    """NESS; ensembles are independent draws from the posterior."""

    def draw(
        self, posterior: Posterior, supernet: Supernet, task: Task, rng: np.random.Generator
    ) -> npt.NDArray[np.int8]:
        return posterior.support[monte_carlo.draw(posterior, task.ensemble_size, rng, self.draws)]
