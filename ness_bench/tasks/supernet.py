"""A supernet whose passes are paid, whether they are looked up or computed."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ness_bench.banks.supernets import parts_of
from ness_bench.ensembles.metrics import true_class
from ness_bench.tasks.budget import Budget
from ness_bench.tasks.cost import CostModel


class InheritedScores(Protocol):
    """What passes through a supernet give, unpaid: `banks.supernets.StoredSupernet`, or `live.TrainedSupernet`."""

    @property
    def kind(self) -> str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def alphas(self) -> npt.NDArray[np.float32] | None: ...
    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]: ...
    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True)
class PaidSupernet:
    """A supernet whose passes are charged to a budget; see `task.Supernet`.

    Attributes:
        scores: what the passes give.
        labels: of the validation split.
    """

    scores: InheritedScores
    cost: CostModel
    budget: Budget
    labels: npt.NDArray[np.int64]

    @property
    def kind(self) -> str:
        return self.scores.kind

    @property
    def epochs(self) -> int:
        return self.scores.epochs

    @property
    def batches(self) -> int:
        return len(parts_of(len(self.labels)))

    @property
    def alphas(self) -> npt.NDArray[np.float64] | None:
        return None if self.scores.alphas is None else self.scores.alphas[-1].astype(np.float64)

    def _charge(self, architectures: npt.NDArray[np.int8], examples: int) -> None:
        price = sum(self.cost.evaluation(tuple(row), examples) for row in architectures.tolist())
        what = f"evaluating {len(architectures)} architectures with inherited weights on {examples} images"
        self.budget.charge("evaluation", price, what)

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        parts = parts_of(len(self.labels))
        self._charge(architectures, sum(len(self.labels[parts[batch]]) for batch in batches))
        return self.scores.log_likelihoods(architectures, batches)

    def true_class(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        self._charge(architectures, len(self.labels))
        return true_class(self.scores.predict(architectures), self.labels)
