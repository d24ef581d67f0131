"""NES-RE (Zaidi et al., Neural Ensemble Search for Uncertainty Estimation, NeurIPS 2021).

Regularised evolution whose parents are chosen for what they add to an ensemble: each step,
`ForwardSelect` picks m parent candidates from the population, one of them, drawn uniformly, is mutated
on one edge, the child is trained and joins, and the oldest dies. The result is `ForwardSelect` over all
networks ever trained.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.selection import forward_select
from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import random_architectures, require_members
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Member, Task, true_class


@register("nes-re")
@dataclass(frozen=True)
class NesRE:
    """Evolution with parents chosen by forward selection; n of all trained by forward selection.

    Attributes:
        population: networks alive at a time (50 in the paper, for 400 evaluations).
        initial_share: at most this share of the budget goes to the random initial population, so that a
            small budget still evolves. Source: ours.
        parents: candidates picked by forward selection each step (10 in the paper).
    """

    population: int = 50
    initial_share: float = 0.5
    parents: int = 10

    def __post_init__(self) -> None:
        if self.population < 1 or self.parents < 1 or not 0 <= self.initial_share <= 1:
            raise NessBenchError("nes-re needs population >= 1, parents >= 1 and initial_share in [0, 1]")

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        random = random_architectures(task.space, rng)
        trained: dict[Architecture, Member] = {}
        alive: deque[Member] = deque(maxlen=self.population)
        try:
            while True:
                spent = task.budget.total - task.budget.left
                evolving = len(alive) == self.population or spent >= self.initial_share * task.budget.total
                child = self._child(task, alive, trained, rng) if evolving and alive else None
                if child is None:
                    child = next(architecture for architecture in random if architecture not in trained)
                trained[child] = task.train(child)
                alive.append(trained[child])
        except (BudgetExhausted, StopIteration):  # spent, or every network of the space is trained
            pool = list(trained.values())
        require_members(task, len(pool))
        chosen = forward_select(true_class(pool, task.val_labels), task.ensemble_size)
        return Ensemble.uniform([pool[row] for row in chosen])

    def _child(
        self, task: Task, alive: deque[Member], trained: dict[Architecture, Member], rng: np.random.Generator
    ) -> Architecture | None:
        """The smallest mutation of a parent to a network not trained so far; None where all are trained."""
        population = list(alive)
        candidates = forward_select(true_class(population, task.val_labels), min(self.parents, len(population)))
        parent = population[rng.choice(candidates)].architecture
        children = task.space.neighbours(parent, besides=trained)
        return task.space.canonical(children[rng.integers(len(children))]) if children else None
