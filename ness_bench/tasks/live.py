"""A task that really trains, on this machine's processor: what a search costs where no bank has been built."""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ness_bench.banks.inherited_scores import (
    CALIBRATED,
    CALIBRATION_IMAGES,
    OWN_BATCH,
    ComputedScores,
    require_statistics,
)
from ness_bench.data.images import DataSet
from ness_bench.ensembles.metrics import accuracy
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.cost import MEASURED, CostModel
from ness_bench.tasks.paid import PaidTask
from ness_bench.tasks.supernet import PaidSupernet
from ness_bench.training.fit import fit
from ness_bench.training.one_shot import kinds
from ness_bench.training.recipe import Recipe

EPOCHS = {
    "uniform": (40, 80, 160),
    "rsps": (250,),
    "darts": (50,),
    "darts-v2": (50,),
    "gdas": (250,),
    "snas": (150,),
}
"""The lengths of supernet training on offer: those of the shipped bank, else the published ones."""


class LiveTask(PaidTask):
    """One search that trains what it asks for; see `task.Task`.

    Args:
        data: its test split is left behind.
        skeleton: that architectures are placed in.
        recipe: of the members.
        ensemble_size: how many members are asked for.
        budget: in TE.
        repetition: the seed of its supernets.

    Raises:
        NessBenchError: there is no such ensemble, or the budget pays no member.
    """

    def __init__(
        self, data: DataSet, skeleton: Skeleton, recipe: Recipe, ensemble_size: int, budget: float, repetition: int = 0
    ) -> None:
        cost = CostModel.of(MEASURED, skeleton, len(data.train) * recipe.epochs, len(data.val))
        super().__init__(Space.whole(), (recipe.epochs,), data.val.labels, cost, ensemble_size, budget)
        self._data = replace(data, test=data.val.first(1))
        self._skeleton = skeleton
        self._recipe = recipe
        self._repetition = repetition

    def seeds(self, architecture: Architecture) -> int:
        return sys.maxsize

    def repeatable(self, seeds: int) -> Space:
        return self.space

    def _training(self, canonical: Architecture, seed: int) -> Callable[[], npt.NDArray[np.float32]]:
        return lambda: fit(canonical, self._data, self._skeleton, self._recipe, seed).val

    def _accuracy(self, network: Architecture, epochs: int) -> float:
        return accuracy(self.train(network, 0).val, self.val_labels)

    def supernet_epochs(self, kind: str) -> dict[int, float]:
        if kind not in EPOCHS:
            raise NessBenchError(f'no "{kind}" supernet is trained here; kinds: {", ".join(EPOCHS)}')
        return {epochs: self._cost.supernet(kind, len(self._data.train) * epochs) for epochs in EPOCHS[kind]}

    def supernet(self, kind: str, epochs: int, statistics: str = OWN_BATCH) -> PaidSupernet:
        require_statistics(statistics)
        prices = self.supernet_epochs(kind)
        if epochs not in prices:
            raise NessBenchError(f'no "{kind}" supernet of {epochs} epochs is trained here; lengths: {sorted(prices)}')
        self.budget.charge("supernet", prices[epochs], f"training a {kind} supernet for {epochs} epochs")
        data = self._data
        recipe = kinds.recipe_of(kind, epochs)
        trained = kinds.train(kind, data, self._skeleton, recipe, self._repetition)
        images, calibration = data.normalise(data.val.pixels), None
        if statistics == CALIBRATED:
            calibration = data.normalise(data.train.pixels[:CALIBRATION_IMAGES])
        scores = ComputedScores(
            kind, epochs, trained.model, trained.alphas, images, data.val.labels, statistics, calibration
        )
        calibrated = 0 if calibration is None else len(calibration)
        return PaidSupernet(scores, self._cost, self.budget, self.val_labels, statistics, calibrated)
