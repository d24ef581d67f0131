"""An ensemble of random architectures: what no search at all gives."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from ness_bench.methods.method import register
from ness_bench.methods.random_pool import random_architectures
from ness_bench.tasks.task import Ensemble, Task


@register("random-ensemble")
@dataclass(frozen=True)
class RandomEnsemble:
    """n random networks, trained and averaged."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        architectures = islice(random_architectures(task.space, rng), task.ensemble_size)
        return Ensemble.uniform([task.train(architecture) for architecture in architectures])
