"""What tasks that train do alike: they sell each training once, at its price, before they hand anything over."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture, to_string
from ness_bench.spaces.space import Space
from ness_bench.tasks.budget import Budget
from ness_bench.tasks.cost import CostModel
from ness_bench.tasks.task import Member
from ness_bench.tasks.trials import Trials


class PaidTask(Trials):
    """The part of `task.Task` that does not depend on where trainings come from.

    Args:
        space: the architectures that may be trained.
        epochs: after which a network can be evaluated; the last are those of the full recipe.
        val_labels: int64 [examples].
        cost: prices.
        ensemble_size: how many members are asked for.
        budget: in TE.

    Raises:
        NessBenchError: the ensemble is larger than the space, or the budget pays no member.
    """

    def __init__(
        self,
        space: Space,
        epochs: tuple[int, ...],
        val_labels: npt.NDArray[np.int64],
        cost: CostModel,
        ensemble_size: int,
        budget: float,
    ) -> None:
        networks = len(space.classes)
        if not 1 <= ensemble_size <= networks:
            raise NessBenchError(
                f"an ensemble of {ensemble_size} was asked for, but the task covers {networks} networks; "
                f"ask for 1 to {networks}"
            )
        super().__init__(space, epochs, Budget(budget))
        self.val_labels = val_labels
        self.ensemble_size = ensemble_size
        self._cost = cost
        self._trained: dict[tuple[Architecture, int], Member] = {}
        cheapest = min(map(cost.training, space.classes))
        if not self.budget.affords(cheapest):
            raise NessBenchError(
                f"a budget of {budget:g} TE pays for no member: the cheapest network costs {cheapest:.3g} TE"
            )

    @abstractmethod
    def _training(self, canonical: Architecture, seed: int) -> Callable[[], npt.NDArray[np.float32]]:
        """What returns the validation predictions [examples, classes] of a training, once it is paid.

        Raises:
            NessBenchError: there is no such training.
        """

    def network(self, architecture: Architecture) -> Architecture:
        return self.space.canonical(architecture)

    def _price(self, network: Architecture, epochs: int) -> float:
        return self._cost.training(network) * epochs / self.epochs[-1]

    def _validation_price(self, network: Architecture) -> float:
        return 0.0  # as for `train`, whose predictions come with the training

    def training_cost(self, architecture: Architecture) -> float:
        return self._cost.training(self.space.canonical(architecture))

    def train(self, architecture: Architecture, seed: int | None = None) -> Member:
        if architecture not in self.space:
            raise NessBenchError(f"{to_string(architecture)} is outside of the task's space")
        canonical = self.space.canonical(architecture)
        if seed is None:
            seed = next(seed for seed in range(len(self._trained) + 1) if (canonical, seed) not in self._trained)
        if (canonical, seed) not in self._trained:
            predictions = self._training(canonical, seed)
            if seed > 0 or self._epochs_paid.get(canonical) != self.epochs[-1]:
                self.budget.charge("training", self.training_cost(canonical), f"training {to_string(canonical)}")
            self._trained[canonical, seed] = Member(canonical, seed, predictions())
        return self._trained[canonical, seed]

    def sold(self, member: Member) -> bool:
        """Whether this task trained the member, so that it has been paid."""
        return self._trained.get((member.architecture, member.seed)) is member
