"""What every task does alike when it sells evaluations: it checks, charges, and only then looks."""

from abc import ABC, abstractmethod

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture, to_string
from ness_bench.spaces.space import Space
from ness_bench.tasks.budget import Budget


class Trials(ABC):
    """The part of `task.TrialTask` that does not depend on where accuracies come from.

    Args:
        space: the architectures that may be trained.
        epochs: after which a network can be evaluated, ascending.
        budget: that pays.
    """

    def __init__(self, space: Space, epochs: tuple[int, ...], budget: Budget) -> None:
        self.space = space
        self.epochs = epochs
        self.budget = budget
        self._epochs_paid: dict[Architecture, int] = {}

    def network(self, architecture: Architecture) -> Architecture:
        return architecture

    @abstractmethod
    def _price(self, network: Architecture, epochs: int) -> float:
        """What training a network for so many epochs of the full recipe costs."""

    @abstractmethod
    def _validation_price(self, network: Architecture) -> float:
        """What one pass over the validation split costs."""

    @abstractmethod
    def _accuracy(self, network: Architecture, epochs: int) -> float:
        """The validation accuracy of a network after so many epochs, as a share."""

    def evaluation_cost(self, architecture: Architecture, epochs: int | None = None, trained: int = 0) -> float:
        network = self.network(architecture)
        until = self.epochs[-1] if epochs is None else epochs
        return self._price(network, until) - self._price(network, trained) + self._validation_price(network)

    def evaluate(self, architecture: Architecture, epochs: int | None = None, trained: int = 0) -> float:
        if architecture not in self.space:
            raise NessBenchError(f"{to_string(architecture)} is outside of the task's space")
        network = self.network(architecture)
        until = self.epochs[-1] if epochs is None else epochs
        if until not in self.epochs:
            raise NessBenchError(
                f"an evaluation after {until} epochs was asked for; on offer: {', '.join(map(str, self.epochs))}"
            )
        if not 0 <= trained <= min(until, self._epochs_paid.get(network, 0)):
            raise NessBenchError(
                f"a training of {to_string(architecture)} was to go on to epoch {until} from epoch {trained}, but this "
                f"search has paid {self._epochs_paid.get(network, 0)} epochs of it"
            )
        cost = self.evaluation_cost(architecture, until, trained)
        self.budget.charge("training", cost, f"training {to_string(architecture)} from epoch {trained} to {until}")
        self._epochs_paid[network] = max(until, self._epochs_paid.get(network, 0))
        return self._accuracy(network, until)
