"""The best networks by themselves: what forward selection (`nes-rs`) is better than if diversity counts."""

from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.selection import top_n
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import require_members, train_random_pool
from ness_bench.tasks.task import Ensemble, Task, true_class


@register("top-m")
@dataclass(frozen=True)
class TopM:
    """Random networks until the budget is spent; the n best by validation NLL, alike or not."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        pool = train_random_pool(task, rng)
        require_members(task, len(pool))
        best = top_n(true_class(pool, task.val_labels), task.ensemble_size)
        return Ensemble.uniform([pool[row] for row in best])
