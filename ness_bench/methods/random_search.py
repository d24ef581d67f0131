"""Random search for one network (Li & Talwalkar, UAI 2019): what no ensemble gives."""

from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.selection import top_n
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import train_random_pool
from ness_bench.tasks.task import Ensemble, Task, true_class


@register("random-search")
@dataclass(frozen=True)
class RandomSearch:
    """Random networks until the budget is spent; the single best by validation NLL."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        pool = train_random_pool(task, rng)
        best = top_n(true_class(pool, task.val_labels), 1)
        return Ensemble.uniform([pool[row] for row in best])
