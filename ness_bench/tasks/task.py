"""What a method is given (`Task`, or the smaller `TrialTask`) and what it gives back (`Ensemble`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ness_bench.ensembles import metrics
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.budget import Budget


@dataclass(frozen=True)
class Member:
    """A trained network, as a method sees it.

    Attributes:
        architecture: the canonical one of its functional class.
        seed: of its training.
        val: class probabilities on the validation split, float32 [examples, classes].
    """

    architecture: Architecture
    seed: int
    val: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ensemble:
    """Members and the weights of their probabilities.

    Attributes:
        members: at least one, no (architecture, seed) twice.
        weights: one a member, not negative, summing to 1.
        averaging: "probabilities", the ensemble predicts their mean; or "logits", it predicts the softmax of the mean
            logits, which is the geometric mean of the probabilities.
    """

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    averaging: str = "probabilities"

    def __post_init__(self) -> None:
        assert self.members, "an ensemble needs a member"
        assert self.averaging in metrics.AVERAGING, "one of the two ways to average"
        assert len(self.weights) == len(self.members), "one weight a member"
        assert min(self.weights) >= 0, "weights are not negative"
        assert abs(sum(self.weights) - 1) < 1e-9, "weights sum to 1"
        keys = {(member.architecture, member.seed) for member in self.members}
        assert len(keys) == len(self.members), "no member twice"

    @classmethod
    def uniform(cls, members: list[Member]) -> "Ensemble":
        """The plain mean of the members' probabilities."""
        return cls(tuple(members), (1 / len(members),) * len(members))


class Supernet(Protocol):
    """A trained supernet: one set of weights that every architecture inherits its own from.

    Every image pass is charged. The validation split is cut into batches, each normalised by its own statistics
    unless others were asked for.

    Attributes:
        kind: how it was trained, such as `uniform` or `darts`.
        epochs: for how long.
        batches: that the validation split is cut into.
        alphas: architecture parameters, float64 [edges, operations], where the kind learns them.
    """

    @property
    def kind(self) -> str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def alphas(self) -> npt.NDArray[np.float64] | None: ...

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """How likely each architecture, with inherited weights, makes the labels of some batches.

        Args:
            architectures: operation indices, int8 [architectures, edges].
            batches: indices of batches of the validation split, int64 [batches].

        Returns:
            log p(labels), summed over the examples of the batches, in nats, float64 [architectures].

        Raises:
            BudgetExhausted: the passes do not fit.
        """
        ...

    def log_likelihood_gradient(
        self, architecture: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """How the log-likelihood of some batches grows with the weight of each operation in the mixed supernet.

        Args:
            architecture: at whose one-hot weights the gradient is taken, operation indices, int8 [edges].
            batches: indices of batches of the validation split, int64 [batches].

        Returns:
            ∂ log p(labels) / ∂ weights, summed over the examples of the batches, float64 [edges, operations]. That of
            `none`, whose weight has no effect, is 0. Each batch is normalised by its own statistics, whatever others
            were asked for.

        Raises:
            BudgetExhausted: the passes, forward and backward through all operations, do not fit.
        """
        ...

    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """The class probabilities of each architecture with inherited weights. Asking again for one is free.

        Args:
            architectures: operation indices, int8 [architectures, edges].

        Returns:
            float32 [architectures, examples, classes], on the validation split.

        Raises:
            BudgetExhausted: the passes do not fit.
        """
        ...


class TrialTask(Protocol):
    """What a method sees that looks for one network by trial: validation accuracies, and what they cost.

    A table of accuracies can serve it, a bank or a live task as well. There is no test data in it.

    Attributes:
        space: the architectures that may be trained here.
        budget: what is left to spend; the task charges it, methods only read it.
        epochs: after how many epochs of the full recipe a network can be evaluated, ascending; the last is the whole.
    """

    @property
    def space(self) -> Space: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def epochs(self) -> tuple[int, ...]: ...

    def network(self, architecture: Architecture) -> Architecture:
        """What stands for all architectures that are the same network here.

        Where networks are trained, that is a functional class; in a table every string has numbers of its own.
        """
        ...

    def evaluate(self, architecture: Architecture, epochs: int | None = None, trained: int = 0) -> float:
        """Train a network and evaluate it on the validation split. Each call is charged, as asked for, anew.

        Args:
            architecture: one of `space`.
            epochs: one of `epochs`; None for the whole recipe.
            trained: epochs that this search has already paid for this network, from which the training goes on.

        Returns:
            The validation accuracy, as a share.

        Raises:
            BudgetExhausted: it does not fit; nothing is charged.
            NessBenchError: the architecture is outside of `space`, or epochs are not on offer, or were not paid.
        """
        ...

    def evaluation_cost(self, architecture: Architecture, epochs: int | None = None, trained: int = 0) -> float:
        """What `evaluate` charges."""
        ...


class Task(TrialTask, Protocol):
    """Everything a method may see. There is no test data in it.

    Attributes:
        ensemble_size: how many members are asked for.
        val_labels: int64 [examples].
    """

    @property
    def ensemble_size(self) -> int: ...
    @property
    def val_labels(self) -> npt.NDArray[np.int64]: ...

    def train(self, architecture: Architecture, seed: int | None = None) -> Member:
        """Train a network from scratch at the full recipe.

        Architectures of one functional class are one network. Training the same network with the same
        seed again returns the same member and costs nothing; `evaluate` at the full recipe trains it with seed 0.

        Args:
            architecture: one of `space`.
            seed: None takes the lowest seed that this search has not trained the network with.

        Raises:
            BudgetExhausted: it does not fit; nothing is charged.
            NessBenchError: the architecture is outside of `space`, or there is no further seed.
        """
        ...

    def training_cost(self, architecture: Architecture) -> float:
        """TE that `train` charges."""
        ...

    def seeds(self, architecture: Architecture) -> int:
        """How many seeds the network can be trained with."""
        ...

    def repeatable(self, seeds: int) -> Space:
        """A part of the space, drawn by lot, whose networks can all be trained with so many seeds.

        Searching in it is fair: where further seeds were given for a good score, the score is for nobody to see.

        Raises:
            NessBenchError: there is no such part.
        """
        ...

    def supernet_epochs(self, kind: str) -> dict[int, float]:
        """The lengths of supernet training that can be had, in epochs, each with its cost in TE.

        Raises:
            NessBenchError: the kind is not offered; the message names those that are.
        """
        ...

    def supernet(self, kind: str, epochs: int, statistics: str = "batch") -> Supernet:
        """Train a supernet.

        Args:
            kind: how, such as `uniform` or `darts`.
            epochs: one of `supernet_epochs`.
            statistics: what normalises validation images: "batch", their batch's statistics; "split", those of the
                whole split; "calibrated", those of training images, charged once an architecture.

        Raises:
            BudgetExhausted: it does not fit; nothing is charged.
            NessBenchError: the kind or length is not offered, the statistics are unknown, or the training images that
                they need are not at hand; nothing is charged.
        """
        ...


def true_class(members: Sequence[Member], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The probability that each member gives to the right class, float32 [members, examples]."""
    return np.stack([metrics.true_class(member.val, labels) for member in members])
