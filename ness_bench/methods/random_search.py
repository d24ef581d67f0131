"""Random search for one network (Li & Talwalkar, UAI 2019): what no ensemble gives."""

from dataclasses import dataclass

import numpy as np

from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial, evaluations
from ness_bench.methods.random_pool import in_random_order
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.task import TrialTask


@register("random-search")
@dataclass(frozen=True)
class RandomSearch(MultiTrial):
    """Random networks until the budget is spent; the single best by validation accuracy."""

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        seen = evaluations(task, in_random_order(task.space, task.network, rng))
        return max(seen, key=lambda trial: trial[1])[0]
