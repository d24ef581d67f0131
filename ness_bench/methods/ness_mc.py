"""NESS with Monte Carlo sampling: n independent draws from the posterior (Shu et al., arXiv 2109.02533)."""

from dataclasses import dataclass

import numpy as np

from ness_bench.methods.method import register
from ness_bench.methods.ness import Ness
from ness_bench.sampling import monte_carlo
from ness_bench.tasks.task import Ensemble, Task


@register("ness-mc")
@dataclass(frozen=True)
class NessMC(Ness):
    """NESS; ensembles are independent draws from the posterior."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        return self.run(monte_carlo.draw, task, rng)
