"""NES-RS (Zaidi et al., Neural Ensemble Search for Uncertainty Estimation, NeurIPS 2021).

K random architectures are trained independently; `ForwardSelect` then builds the ensemble greedily by
the validation NLL of its mean prediction. K is what the budget pays for.
"""

from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.selection import forward_select
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import require_members, train_random_pool
from ness_bench.tasks.task import Ensemble, Task, true_class


@register("nes-rs")
@dataclass(frozen=True)
class NesRS:
    """Random networks until the budget is spent; n of them by forward selection."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        pool = train_random_pool(task, rng)
        require_members(task, len(pool))
        chosen = forward_select(true_class(pool, task.val_labels), task.ensemble_size)
        return Ensemble.uniform([pool[row] for row in chosen])
