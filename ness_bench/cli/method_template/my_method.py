"""my-method: random networks first, then neighbours of the best; of all of them the n best.

Say here what the method does, and name the paper that it comes from.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.metrics import nll
from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import random_architectures, require_members
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Member, Task


# The class is found under this name. Its fields are constants: a plan, or `--set explored=0.8`, changes them. The first
# line of its docstring is what `ness-bench methods` shows.
@register("my-method")
@dataclass(frozen=True)
class MyMethod:
    """The n best of random networks and of neighbours of the best.

    Attributes:
        explored: share of the budget that goes to random networks.
    """

    explored: float = 0.5

    def __post_init__(self) -> None:
        # Constants that make no sense end here, with a message that says what does.
        if not 0 <= self.explored <= 1:
            raise NessBenchError(f"explored was given as {self.explored}; give a share from 0 to 1")

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        # All randomness comes from `rng`, all knowledge from `task`: its space, its budget, its validation labels, and
        # what it trains or evaluates, at a price. `ness_bench.tasks.task.Task` lists everything there is.
        pool: list[Member] = []
        for architecture in self._proposals(task, pool, rng):
            try:
                pool.append(task.train(architecture))
            except BudgetExhausted:  # it did not fit, and nothing was charged
                break
        require_members(task, len(pool))  # raises BudgetExhausted if the budget has paid for too few

        # This is where the ensemble is chosen. Its members count alike here; `Ensemble` takes other weights as well.
        pool.sort(key=lambda member: nll(member.val, task.val_labels))
        return Ensemble.uniform(pool[: task.ensemble_size])

    def _proposals(self, task: Task, pool: list[Member], rng: np.random.Generator) -> Iterator[Architecture]:
        """What to train next, in the light of `pool`, which grows meanwhile."""
        # This is where the method searches. A bank covers a part of the space; `task.space` is that part.
        for architecture in random_architectures(task.space, rng):
            if pool and task.budget.left < (1 - self.explored) * task.budget.total:
                break
            yield architecture
        while True:
            best = min(pool, key=lambda member: nll(member.val, task.val_labels))
            near = task.space.neighbours(best.architecture, besides=[member.architecture for member in pool])
            if not near:  # every network there is has been trained
                return
            yield near[rng.integers(len(near))]
