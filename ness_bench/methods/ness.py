"""NESS's pipeline (Shu, Chen, Dai & Low, arXiv 2109.02533), shared by its two samplers.

1. A supernet is trained, each step on one uniformly drawn architecture.
2. A posterior q_α(A) over architectures is inferred from the validation split with inherited weights.
3. A sampler draws T ensembles of n architectures.
4. The ensemble whose inherited-weight predictions have the lowest validation NLL is chosen.
5. Its n members are trained from scratch.

All five are paid from the budget; drawing is free.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import Adam, score_function
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import Architecture, prune
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Supernet, Task

Draw = Callable[[Posterior, int, np.random.Generator, int], npt.NDArray[np.int64]]
"""A sampler: (posterior, n, rng, T) to T ensembles of n members, indices into the support, [T, n]."""


@dataclass(frozen=True)
class Ness:
    """The constants of steps 1, 2 and 4, and the pipeline.

    Attributes:
        supernet_share: the longest supernet training on offer that takes at most this share of the budget
            is bought, or the shortest if none is so cheap. Source: ours.
        temperature: divides the log-likelihood of the validation split, a sum over its examples. The
            paper does not give it. Source: ours.
        epochs: passes over the validation split in which α is inferred (20 in an independent port).
        batches_per_step: batches of validation examples a step. The noise of the gradient comes mostly from
            which architectures are drawn, so that many small steps pay best. Source: ours.
        samples_per_step: architectures drawn a step. Source: ours.
        learning_rate: of Adam on α (1e-2 in an independent port, which takes more steps). Source: ours.
        draws: T, ensembles drawn before the best is chosen (10 in an independent port).
    """

    supernet_share: float = 0.25
    temperature: float = 1.0
    epochs: int = 20
    batches_per_step: int = 1
    samples_per_step: int = 16
    learning_rate: float = 0.05
    draws: int = 10

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise NessBenchError(f"temperature was given as {self.temperature}; it must be positive")
        if min(self.epochs, self.batches_per_step, self.draws) < 1 or self.samples_per_step < 2:
            raise NessBenchError("epochs, batches_per_step and draws must be at least 1, samples_per_step at least 2")

    def run(self, draw: Draw, task: Task, rng: np.random.Generator) -> Ensemble:
        """The whole pipeline with one sampler."""
        supernet = self._buy_supernet(task)
        posterior = self._infer(supernet, task, rng)
        drawn = task.space.array[draw(posterior, task.ensemble_size, rng, self.draws)]
        return train(task, self._select(supernet, task, drawn))

    def _buy_supernet(self, task: Task) -> Supernet:
        prices = task.supernet_epochs("uniform")
        affordable = [epochs for epochs, price in prices.items() if price <= self.supernet_share * task.budget.total]
        return task.supernet("uniform", max(affordable, default=min(prices)))

    def _infer(self, supernet: Supernet, task: Task, rng: np.random.Generator) -> Posterior:
        return score_function(
            supernet.log_likelihoods,
            task.space.array,
            supernet.batches,
            self.temperature,
            rng,
            epochs=self.epochs,
            batch_size=self.batches_per_step,
            samples_per_step=self.samples_per_step,
            adam=Adam(self.learning_rate),
        )

    def _select(self, supernet: Supernet, task: Task, drawn: npt.NDArray[np.int8]) -> list[Architecture]:
        """Of the drawn ensembles [T, n, edges] that can still be paid, the best with inherited weights."""
        paths = [prune(tuple(member)) for member in drawn.reshape(-1, drawn.shape[-1]).tolist()]
        distinct, where = np.unique(np.array(paths, np.int8), axis=0, return_inverse=True)
        inherited = supernet.true_class(distinct)[where.reshape(drawn.shape[:2])]  # [T, n, examples]
        nll = -np.log(inherited.mean(1, dtype=np.float64)).mean(-1)
        for choice in np.argsort(nll, kind="stable"):
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


def train(task: Task, architectures: list[Architecture]) -> Ensemble:
    """Train an ensemble, and weigh each member by how often it counts."""
    needed = trainings(task, architectures)
    members = tuple(task.train(architecture, seed) for architecture, seed in needed)
    return Ensemble(members, tuple(count / len(architectures) for count in needed.values()))
