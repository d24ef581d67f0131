"""Regularised (aging) evolution (Real, Aggarwal, Huang & Le, AAAI 2019, algorithm 1).

From a population of the youngest networks, a few are drawn; the best of them is mutated on one edge, the child joins
and the oldest dies. The result is the best network of all ever evaluated. Where several architectures are one network,
a child is another one (ours); where a restricted space holds none on one edge, one of the nearest is taken (ours).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial, evaluations
from ness_bench.spaces.nas_bench_201 import Architecture, neighbours
from ness_bench.tasks.task import TrialTask


@register("regularized-evolution")
@dataclass(frozen=True)
class RegularizedEvolution(MultiTrial):
    """Evolution in which the oldest dies; the single best by validation accuracy.

    Attributes:
        population: networks alive at a time (10 on NAS-Bench-201).
        sample: of which the best becomes the parent, drawn with replacement (3 on NAS-Bench-201).
    """

    population: int = 10
    sample: int = 3

    def __post_init__(self) -> None:
        if self.population < 1 or self.sample < 1:
            raise NessBenchError("regularized-evolution needs population >= 1 and sample >= 1")

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        alive: deque[tuple[Architecture, float]] = deque(maxlen=self.population)
        best: tuple[Architecture, float] | None = None
        for trial in evaluations(task, self._proposals(task, alive, rng)):
            alive.append(trial)
            best = trial if best is None or trial[1] > best[1] else best
        assert best is not None, "not one could be paid"
        return best[0]

    def _proposals(
        self, task: TrialTask, alive: deque[tuple[Architecture, float]], rng: np.random.Generator
    ) -> Iterator[Architecture]:
        """Random architectures until the population is full, then children of it, for ever."""
        while True:
            if len(alive) < self.population:
                yield task.space.architectures[rng.integers(task.space.size)]
            else:
                drawn = [alive[place] for place in rng.integers(len(alive), size=self.sample)]
                children = _children(task, max(drawn, key=lambda trial: trial[1])[0])
                yield children[rng.integers(len(children))]


def _children(task: TrialTask, parent: Architecture) -> list[Architecture]:
    near = [
        child for child in neighbours(parent) if child in task.space and task.network(child) != task.network(parent)
    ]
    return near or task.space.neighbours(parent) or [parent]
