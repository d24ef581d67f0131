"""A task served from a prediction bank: what would be trained is looked up, and charged all the same."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ness_bench.banks.bank import Bank, MemberTable
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.cost import CostModel
from ness_bench.tasks.paid import PaidTask
from ness_bench.tasks.supernet import PaidSupernet


class BankTask(PaidTask):
    """One search on a bank.

    It is handed the validation predictions only: no path leads from it to the test split.

    Args:
        space: what the bank covers.
        repeated: the part of it that was drawn by lot to get further seeds.
        members: what each row of `val` is.
        val: predictions on the validation split.
        supernets: the stored supernets.
        cost: prices.
        ensemble_size: how many members are asked for.
        budget: in TE.
        repetition: takes turns among supernets that differ only in their seed.

    Raises:
        NessBenchError: the ensemble is larger than the bank's coverage, or the budget pays no member.
    """

    def __init__(
        self,
        space: Space,
        repeated: Space,
        members: MemberTable,
        val: QuantisedPredictions,
        supernets: Sequence[StoredSupernet],
        cost: CostModel,
        ensemble_size: int,
        budget: float,
        repetition: int = 0,
    ) -> None:
        epochs = tuple(range(1, members.curves.shape[1] + 1))
        super().__init__(space, epochs, val.labels, cost, ensemble_size, budget)
        self._repeated = repeated
        self._members = members
        self._val = val
        self._supernets = supernets
        self._repetition = repetition

    @classmethod
    def of(cls, bank: Bank, ensemble_size: int, budget: float, repetition: int = 0) -> "BankTask":
        """A task on a bank's validation split."""
        cost = CostModel(bank.skeleton, bank.train_examples * bank.recipe.epochs)
        return cls(
            bank.space, bank.repeated, bank.members, bank.val, bank.supernets, cost, ensemble_size, budget, repetition
        )

    def seeds(self, architecture: Architecture) -> int:
        return self._members.seeds_of(architecture)

    def repeatable(self, seeds: int) -> Space:
        if seeds == 1:
            return self.space
        most = min(map(self.seeds, self._repeated.classes), default=1)
        if seeds > most:
            raise NessBenchError(
                f"networks with {seeds} seeds were asked for; of those that the bank's lot fell on there are {most} at "
                "most: ask for fewer members, or build a bank with more --random-repeated and --extra-seeds"
            )
        return self._repeated

    def _training(self, canonical: Architecture, seed: int) -> Callable[[], npt.NDArray[np.float32]]:
        row = self._members.row(canonical, seed)
        return lambda: self._val.probabilities([row])[0]

    def _accuracy(self, network: Architecture, epochs: int) -> float:
        return float(self._members.curves[self._members.row(network, 0), epochs - 1])

    def _offered(self, kind: str) -> list[StoredSupernet]:
        offered = [supernet for supernet in self._supernets if supernet.kind == kind]
        if not offered:
            kinds = sorted({supernet.kind for supernet in self._supernets})
            raise NessBenchError(f'the bank holds no "{kind}" supernet; it holds: {", ".join(kinds) or "none"}')
        return offered

    def supernet_epochs(self, kind: str) -> dict[int, float]:
        return {supernet.epochs: self._cost.supernet(kind, supernet.passes) for supernet in self._offered(kind)}

    def supernet(self, kind: str, epochs: int) -> PaidSupernet:
        offered = [supernet for supernet in self._offered(kind) if supernet.epochs == epochs]
        if not offered:
            raise NessBenchError(
                f'the bank holds no "{kind}" supernet of {epochs} epochs; lengths: {sorted(self.supernet_epochs(kind))}'
            )
        stored = offered[self._repetition % len(offered)]
        self.budget.charge(
            "supernet", self._cost.supernet(kind, stored.passes), f"training a {kind} supernet for {epochs} epochs"
        )
        return PaidSupernet(stored, self._cost, self.budget, self.val_labels)
