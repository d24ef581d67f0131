"""DARTS, first order (Liu, Simonyan & Yang, ICLR 2019), and the deep ensemble of what it finds.

A supernet of mixed operations is trained on one half of the training images while its architecture
parameters α are trained on the other. The network it stands for takes the strongest operation on every
edge, `none` included, as NAS-Bench-201 does; on a restricted space it is the architecture of the largest
Σ_e log softmax(α_e). DARTS is known to collapse to skip connections on this space.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.spaces.nas_bench_201 import Architecture, to_string
from ness_bench.spaces.space import Space
from ness_bench.tasks.task import Ensemble, Task


def derive(alphas: npt.NDArray[np.float64], space: Space) -> Architecture:
    """The architecture of `space` that α [edges, operations] rates highest."""
    log_weights = alphas - np.logaddexp.reduce(alphas, axis=1, keepdims=True)
    ratings = log_weights[np.arange(len(alphas)), space.array].sum(1)
    return space.architectures[int(ratings.argmax())]


def search(task: Task) -> Architecture:
    """Buy the longest supernet training on offer and derive its architecture."""
    supernet = task.supernet("darts", max(task.supernet_epochs("darts")))
    assert supernet.alphas is not None, "DARTS learns architecture parameters"
    return derive(supernet.alphas, task.space)


@register("darts")
@dataclass(frozen=True)
class Darts:
    """The one network that DARTS derives."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        return Ensemble.uniform([task.train(search(task))])


@register("darts-ensemble")
@dataclass(frozen=True)
class DartsEnsemble:
    """n seeds of the network that DARTS derives."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        architecture = search(task)
        if task.seeds(architecture) < task.ensemble_size:
            raise NessBenchError(
                f"DARTS derived {to_string(architecture)}, which can be trained here with {task.seeds(architecture)} "
                f"seeds, but an ensemble of {task.ensemble_size} was asked for; ask for fewer members"
            )
        return Ensemble.uniform([task.train(architecture) for _ in range(task.ensemble_size)])
