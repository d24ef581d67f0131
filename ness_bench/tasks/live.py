"""A task that really trains, on this machine's processor: what a search costs where no bank has been built."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ness_bench.banks.supernets import parts_of
from ness_bench.data.images import DataSet
from ness_bench.ensembles.metrics import TINY, accuracy, true_class
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.cost import CostModel
from ness_bench.tasks.paid import PaidTask
from ness_bench.tasks.supernet import PaidSupernet
from ness_bench.training.fit import fit
from ness_bench.training.one_shot import darts, inherited, uniform
from ness_bench.training.recipe import Recipe

EPOCHS = {"uniform": (40, 80, 160), "darts": (50,)}
"""The lengths of supernet training on offer, those of the shipped bank."""


@dataclass(frozen=True)
class TrainedSupernet:
    """A supernet just trained; see `supernet.InheritedScores`.

    Attributes:
        images: normalised, of the validation split, with their labels.
    """

    kind: str
    epochs: int
    supernet: Supernet
    alphas: npt.NDArray[np.float32] | None
    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        total = np.zeros(len(architectures))
        for part in (parts_of(len(self.labels))[batch] for batch in batches):
            likelihoods = true_class(self._predict(architectures, part), self.labels[part])
            total += np.log(np.maximum(likelihoods, TINY)).sum(1, dtype=np.float64)
        return total

    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        return np.concatenate([self._predict(architectures, part) for part in parts_of(len(self.labels))], axis=1)

    def _predict(self, architectures: npt.NDArray[np.int8], part: slice) -> npt.NDArray[np.float32]:
        paths = [tuple(row) for row in architectures.tolist()]
        return np.stack(list(inherited.predictions(self.supernet, paths, self.images[part])))


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
        cost = CostModel(skeleton, len(data.train) * recipe.epochs)
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

    def supernet(self, kind: str, epochs: int) -> PaidSupernet:
        prices = self.supernet_epochs(kind)
        if epochs not in prices:
            raise NessBenchError(f'no "{kind}" supernet of {epochs} epochs is trained here; lengths: {sorted(prices)}')
        self.budget.charge("supernet", prices[epochs], f"training a {kind} supernet for {epochs} epochs")
        data, skeleton, seed = self._data, self._skeleton, self._repetition
        alphas = None
        if kind == "uniform":
            supernet = uniform.train(data, skeleton, uniform.UniformRecipe(epochs=epochs), seed)
        else:
            supernet, alphas = darts.train(data, skeleton, darts.DartsRecipe(epochs=epochs), seed)
        scores = TrainedSupernet(kind, epochs, supernet, alphas, data.normalise(data.val.pixels), data.val.labels)
        return PaidSupernet(scores, self._cost, self.budget, self.val_labels)
