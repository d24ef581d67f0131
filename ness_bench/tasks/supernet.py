"""A supernet whose passes are paid, whether they are looked up or computed."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ness_bench.banks.inherited_scores import OWN_BATCH, SPLIT, parts_of
from ness_bench.spaces.nas_bench_201 import Architecture, prune
from ness_bench.tasks.budget import Budget
from ness_bench.tasks.cost import CostModel

if TYPE_CHECKING:
    from ness_bench.networks.one_shot_model import OneShotModel


class InheritedScores(Protocol):
    """What passes through a supernet give, unpaid: `banks.supernets.StoredSupernet`, or
    `banks.inherited_scores.ComputedScores`.

    Attributes:
        model: the supernet itself.
        images: of the validation split, normalised.
    """

    @property
    def kind(self) -> str: ...
    @property
    def epochs(self) -> int: ...
    @property
    def alphas(self) -> npt.NDArray[np.float32] | None: ...
    @property
    def model(self) -> "OneShotModel": ...
    @property
    def images(self) -> npt.NDArray[np.float32]: ...
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
        statistics: one of `STATISTICS`, those of the scores.
        calibration_images: that an architecture is calibrated on when it is first asked for.
    """

    scores: InheritedScores
    cost: CostModel
    budget: Budget
    labels: npt.NDArray[np.int64]
    statistics: str = OWN_BATCH
    calibration_images: int = 0
    _predicted: set[Architecture] = field(default_factory=set)
    _calibrated: set[Architecture] = field(default_factory=set)

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

    def _examples(self, batches: npt.NDArray[np.int64]) -> int:
        parts = parts_of(len(self.labels))
        return sum(len(self.labels[parts[batch]]) for batch in batches)

    def _charge(self, paths: list[Architecture], examples: int) -> None:
        """Pay passes over so many examples, and the calibration of each path that has not been calibrated."""
        price = sum(self.cost.evaluation(path, examples) for path in paths)
        what = f"evaluating {len(paths)} architectures with inherited weights on {examples} images"
        new = set(paths) - self._calibrated
        # In a fixed order, since sums of floats depend on it.
        price += sum(self.cost.forward(path, self.calibration_images) for path in sorted(new))
        self.budget.charge("evaluation", price, what)
        self._calibrated.update(new)

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        if self.statistics == SPLIT:
            self._charge_predictions(architectures)
        else:
            self._charge([prune(tuple(row)) for row in architectures.tolist()], self._examples(batches))
        return self.scores.log_likelihoods(architectures, batches)

    def log_likelihood_gradient(
        self, architecture: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        from ness_bench.training.one_shot import inherited  # here, since PyTorch is slow to load

        examples = self._examples(batches)
        what = f"a gradient of the supernet's mixed operations on {examples} images"
        self.budget.charge("evaluation", self.cost.mixed_gradient(examples), what)
        path, parts = tuple(architecture.tolist()), [parts_of(len(self.labels))[batch] for batch in batches]
        images, labels = self.scores.images, self.labels
        gradients = [
            inherited.log_likelihood_gradient(self.scores.model, path, images[part], labels[part]) for part in parts
        ]
        total: npt.NDArray[np.float64] = np.sum(gradients, axis=0)
        return total

    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        self._charge_predictions(architectures)
        return self.scores.predict(architectures)

    def _charge_predictions(self, architectures: npt.NDArray[np.int8]) -> None:
        paths = dict.fromkeys(prune(tuple(row)) for row in architectures.tolist())
        new = [path for path in paths if path not in self._predicted]
        self._charge(new, len(self.labels))
        self._predicted.update(new)
