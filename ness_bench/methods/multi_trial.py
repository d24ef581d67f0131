"""What methods share that look for one network by trial: train one, see its validation accuracy, choose the next.

They were published for single networks. On a table they find an architecture; on a bank, or live, that network is
the whole ensemble. The signal is the validation accuracy, as they were published; `nes-rs` with one member is random
search by validation NLL.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Task, TrialTask


@dataclass(frozen=True)
class MultiTrial:
    """A method that looks for one network."""

    @abstractmethod
    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        """The architecture that a search ends on.

        Args:
            task: what may be seen, and what it costs.
            rng: the only source of randomness.

        Raises:
            BudgetExhausted: the budget cannot pay what the method needs at least.
        """

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        """The network that `find` ends on, trained; one that was evaluated at the full recipe is trained already."""
        return Ensemble.uniform([task.train(self.find(task, rng), seed=0)])


def evaluations(task: TrialTask, proposals: Iterator[Architecture]) -> Iterator[tuple[Architecture, float]]:
    """Evaluate what is proposed at the full recipe, until the budget is spent or nothing more is proposed.

    Yields:
        (architecture, validation accuracy); the next proposal is asked for after the caller has seen them.

    Raises:
        BudgetExhausted: not one can be paid.
    """
    for earlier, architecture in enumerate(proposals):
        try:
            accuracy = task.evaluate(architecture)
        except BudgetExhausted:
            if not earlier:
                raise
            return
        yield architecture, accuracy
