"""Federated neural architecture search (arXiv 2002.06352) on trainings that are not federated.

It is not He et al.'s FedNAS. Groups of clients train one candidate network each, in parallel, and the search saves
their effort in two ways: the worst candidates are dropped early, and rounds of training are few at first and more
later. Here an epoch stands for a round, and of the clients' different data only this is left: each finalist is judged
on a random part of the validation examples, its own clients'. All constants are ours.

A group of candidates goes through stages. Each trains the survivors some epochs further, which is all that is
charged, and drops the worst half. The last survivor is trained to the end and is a finalist. Then comes another
group, until the budget is spent. Where a task offers one length only, each candidate is a finalist.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.metrics import accuracy
from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.methods.random_pool import in_random_order, require_members
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Task, TrialTask


@register("fednas")
@dataclass(frozen=True)
class FedNas(MultiTrial):
    """Groups of random networks, the worst half dropped again and again as they train; the best n finalists.

    Attributes:
        group: candidates trained in parallel.
        first_epochs: R_0, of the first stage.
        further_epochs: dR; stage s = 0, 1, … trains R_0 + s · dR epochs.
        validation_share: of the validation examples, those that judge a finalist, drawn for each.
    """

    group: int = 8
    first_epochs: int = 1
    further_epochs: int = 1
    validation_share: float = 0.5

    def __post_init__(self) -> None:
        if self.group < 1 or self.first_epochs < 1 or self.further_epochs < 0 or not 0 < self.validation_share <= 1:
            raise NessBenchError(
                "fednas needs group >= 1, first_epochs >= 1, further_epochs >= 0 and validation_share in (0, 1]"
            )

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        """The finalist of the highest accuracy on all validation examples: those of a part are not for sale here."""
        return max(self._finalists(task, rng), key=lambda finalist: finalist[1])[0]

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        """The last n survivors, where finalists too are dropped, by what their own clients see (ours)."""
        finalists = [task.train(architecture, 0) for architecture, _ in self._finalists(task, rng)]
        require_members(task, len(finalists))
        clients = math.ceil(self.validation_share * len(task.val_labels))
        scores = []
        for member in finalists:
            own = rng.choice(len(task.val_labels), clients, replace=False)
            scores.append(accuracy(member.val[own], task.val_labels[own]))
        order = np.argsort(-np.array(scores), kind="stable")
        return Ensemble.uniform([finalists[row] for row in order[: task.ensemble_size]])

    def _finalists(self, task: TrialTask, rng: np.random.Generator) -> list[tuple[Architecture, float]]:
        """What was trained to the end until the budget was spent, with its accuracy on all validation examples."""
        finalists: list[tuple[Architecture, float]] = []
        candidates = in_random_order(task.space, task.network, rng)
        try:
            while group := list(itertools.islice(candidates, self.group)):
                for finalist in self._run(task, group):
                    finalists.append(finalist)
        except BudgetExhausted:
            if not finalists:
                raise
        return finalists

    def _run(self, task: TrialTask, survivors: list[Architecture]) -> Iterator[tuple[Architecture, float]]:
        """The stages of a group. Yields its finalists."""
        trained = 0
        for stage in itertools.count():
            wanted = trained + self.first_epochs + stage * self.further_epochs
            until = whole = task.epochs[-1]
            if len(survivors) > 1:
                until = next((epochs for epochs in task.epochs if epochs >= wanted), whole)
            scores = {}
            for architecture in survivors:
                scores[architecture] = task.evaluate(architecture, until, trained)
                if until == whole:
                    yield architecture, scores[architecture]
            if until == whole:
                return
            trained = until
            survivors = sorted(survivors, key=scores.__getitem__, reverse=True)[: (len(survivors) + 1) // 2]
