"""A task served from a prediction bank: what would be trained is looked up, and charged all the same."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from ness_bench.banks.bank import Bank, MemberTable
from ness_bench.banks.inherited_scores import CALIBRATED, CALIBRATION_IMAGES, OWN_BATCH, require_statistics
from ness_bench.banks.jobs import load_data
from ness_bench.banks.plan import BuildPlan
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.cost import MEASURED, CostModel
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
        calibration: gives normalised training images [`CALIBRATION_IMAGES`, height, width, channels].
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
        calibration: Callable[[], npt.NDArray[np.float32]],
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
        self._calibration = calibration
        self._repetition = repetition

    @classmethod
    def of(
        cls, bank: Bank, ensemble_size: int, budget: float, repetition: int = 0, cost_model: str = MEASURED
    ) -> "BankTask":
        """A task on a bank's validation split.

        Raises:
            NessBenchError: the cost model is unknown; otherwise as above.
        """
        return cls(
            bank.space,
            bank.repeated,
            bank.members,
            bank.val,
            bank.supernets,
            partial(_calibration_images, bank.manifest.plan, bank.manifest.data_digest),
            CostModel.of(cost_model, bank.skeleton, bank.train_examples * bank.recipe.epochs, len(bank.val.labels)),
            ensemble_size,
            budget,
            repetition,
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

    def supernet(self, kind: str, epochs: int, statistics: str = OWN_BATCH) -> PaidSupernet:
        require_statistics(statistics)
        offered = [supernet for supernet in self._offered(kind) if supernet.epochs == epochs]
        if not offered:
            raise NessBenchError(
                f'the bank holds no "{kind}" supernet of {epochs} epochs; lengths: {sorted(self.supernet_epochs(kind))}'
            )
        stored = offered[self._repetition % len(offered)]
        calibration = self._calibration() if statistics == CALIBRATED else None
        self.budget.charge(
            "supernet", self._cost.supernet(kind, stored.passes), f"training a {kind} supernet for {epochs} epochs"
        )
        if statistics == OWN_BATCH:  # what batches of their own statistics give is stored
            return PaidSupernet(stored, self._cost, self.budget, self.val_labels)
        scores = stored.computed(statistics, self.val_labels, calibration)
        images = 0 if calibration is None else len(calibration)
        return PaidSupernet(scores, self._cost, self.budget, self.val_labels, statistics, images)


def _calibration_images(plan: BuildPlan, digest: str) -> npt.NDArray[np.float32]:
    """The first training images of a bank's data set.

    Raises:
        NessBenchError: the data set is not at hand, or is not the bank's.
    """
    data = load_data(plan)
    if data.digest != digest:
        raise NessBenchError(
            f"calibration needs the bank's training images, but {plan.data} holds other ones; restore it, or choose "
            "other statistics of batch normalisation"
        )
    return data.normalise(data.train.pixels[:CALIBRATION_IMAGES])
