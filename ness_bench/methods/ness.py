"""NESS's pipeline (Shu, Chen, Dai & Low, arXiv 2109.02533), shared by all its samplers.

1. A supernet is trained, each step on one uniformly drawn architecture.
2. A posterior q_α(A) over architectures is inferred from the validation split with inherited weights.
3. A sampler draws T ensembles of n architectures.
4. The ensemble whose inherited-weight predictions have the lowest validation NLL is chosen.
5. Its n members are trained from scratch.

The passes and trainings of all five are paid from the budget; the arithmetic between them is free.
"""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ness_bench.banks.inherited_scores import STATISTICS
from ness_bench.ensembles.metrics import AVERAGING, ensemble_probabilities, nll
from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import Adam, score_function
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.straight_through import straight_through
from ness_bench.spaces.nas_bench_201 import Architecture, prune
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Supernet, Task

INFERENCE = ("score-function", "straight-through")


@dataclass(frozen=True)
class Ness(ABC):
    """The constants of steps 1, 2 and 4, and the pipeline.

    Attributes:
        supernet_kind: how the supernet is trained: "uniform", or another kind that the task offers.
        supernet_share: the longest supernet training on offer that takes at most this share of the budget
            is bought, or the shortest if none is so cheap. Source: ours.
        supernet_epochs: buys this length instead; 0 leaves it to the share.
        statistics: of batch normalisation with inherited weights: "batch", "split" or "calibrated"; see
            `Task.supernet`. Gradients through the supernet have those of their batch in any case.
        inference: of α: "score-function", or "straight-through" with Gumbel-softmax samples and gradients through
            the supernet (the paper's); both take about as many FLOPs. Source of the default: ours.
        temperature: divides the log-likelihood of the validation split, a sum over its examples. The
            paper does not give it. Source: ours.
        epochs: passes over the validation split in which α is inferred (20 in an independent port).
        batches_per_step: batches of validation examples a step. The noise of the gradient comes mostly from
            which architectures are drawn, so that many small steps pay best. Source: ours.
        samples_per_step: architectures drawn a step by the score function; straight-through takes one, all of
            whose operations are computed. Source: ours.
        learning_rate: of Adam on α (1e-2 in an independent port, which takes more steps). Source: ours.
        draws: T, ensembles drawn before the best is chosen (10 in an independent port).
        averaging: of the members' "probabilities" or "logits", in the choice and in the ensemble.
    """

    supernet_kind: str = "uniform"
    supernet_share: float = 0.25
    supernet_epochs: int = 0
    statistics: str = "batch"
    inference: str = "score-function"
    temperature: float = 1.0
    epochs: int = 20
    batches_per_step: int = 1
    samples_per_step: int = 16
    learning_rate: float = 0.05
    draws: int = 10
    averaging: str = "probabilities"

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise NessBenchError(f"temperature was given as {self.temperature}; it must be positive")
        if min(self.epochs, self.batches_per_step, self.draws) < 1 or self.samples_per_step < 2:
            raise NessBenchError("epochs, batches_per_step and draws must be at least 1, samples_per_step at least 2")
        if self.supernet_share < 0:
            raise NessBenchError(f"supernet_share was given as {self.supernet_share}; give 0 or more")
        if self.supernet_epochs < 0:
            raise NessBenchError(f"supernet_epochs was given as {self.supernet_epochs}; give 0, or a length on offer")
        Adam(self.learning_rate)  # refuses what it cannot work with
        for name, value, allowed in (
            ("statistics", self.statistics, STATISTICS),
            ("inference", self.inference, INFERENCE),
            ("averaging", self.averaging, AVERAGING),
        ):
            if value not in allowed:
                raise NessBenchError(f'{name} was given as "{value}"; allowed: {", ".join(allowed)}')

    @abstractmethod
    def draw(
        self, posterior: Posterior, supernet: Supernet, task: Task, rng: np.random.Generator
    ) -> npt.NDArray[np.int8]:
        """T ensembles of n architectures: operation indices, int8 [T, n, edges]."""

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        """The whole pipeline."""
        supernet = task.supernet(self.supernet_kind, self._supernet_epochs(task), self.statistics)
        posterior = self._infer(supernet, task, rng)
        drawn = self.draw(posterior, supernet, task, rng)
        return train(task, self._select(supernet, task, drawn), self.averaging)

    def _supernet_epochs(self, task: Task) -> int:
        if self.supernet_epochs:
            return self.supernet_epochs
        prices = task.supernet_epochs(self.supernet_kind)
        affordable = [epochs for epochs, price in prices.items() if price <= self.supernet_share * task.budget.total]
        return max(affordable, default=min(prices))

    def _infer(self, supernet: Supernet, task: Task, rng: np.random.Generator) -> Posterior:
        of = task.space.array, supernet.batches, self.temperature, rng
        steps: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batches_per_step,
            "adam": Adam(self.learning_rate),
        }
        if self.inference == "straight-through":
            return straight_through(supernet.log_likelihood_gradient, *of, **steps)
        return score_function(supernet.log_likelihoods, *of, samples_per_step=self.samples_per_step, **steps)

    def _select(self, supernet: Supernet, task: Task, drawn: npt.NDArray[np.int8]) -> list[Architecture]:
        """Of the drawn ensembles [T, n, edges] that can still be paid, the best with inherited weights."""
        paths = [prune(tuple(member)) for member in drawn.reshape(-1, drawn.shape[-1]).tolist()]
        distinct, where = np.unique(np.array(paths, np.int8), axis=0, return_inverse=True)
        inherited = supernet.predict(distinct)
        losses = [
            nll(ensemble_probabilities(inherited[rows], averaging=self.averaging), task.val_labels)
            for rows in where.reshape(drawn.shape[:2])
        ]
        for choice in np.argsort(losses, kind="stable"):
            members = [tuple(member) for member in drawn[choice].tolist()]
            if task.budget.affords(sum(task.training_cost(a) for a, _ in trainings(task, members))):
                return members
        raise BudgetExhausted(
            f"none of {len(drawn)} drawn ensembles of {task.ensemble_size} can be trained for the "
            f"{task.budget.left:.3g} TE that are left of {task.budget.total:g}; give a larger budget"
        )


def trainings(task: Task, architectures: list[Architecture]) -> Counter[tuple[Architecture, int]]:
    """The (canonical architecture, seed) of each training that an ensemble needs, and how often it counts.

    An architecture drawn k times is trained with k seeds. Where the task has fewer seeds of it, the last one
    counts for those that are lacking.
    """
    copies: Counter[Architecture] = Counter()
    needed: Counter[tuple[Architecture, int]] = Counter()
    for architecture in map(task.space.canonical, architectures):
        needed[architecture, min(copies[architecture], task.seeds(architecture) - 1)] += 1
        copies[architecture] += 1
    return needed


def train(task: Task, architectures: list[Architecture], averaging: str = "probabilities") -> Ensemble:
    """Train an ensemble, and weigh each member by how often it counts."""
    needed = trainings(task, architectures)
    members = tuple(task.train(architecture, seed) for architecture, seed in needed)
    return Ensemble(members, tuple(count / len(architectures) for count in needed.values()), averaging)
