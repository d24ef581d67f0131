"""What architectures score with the weights they inherit from a supernet, computed when it is asked for.

The validation split is cut into batches of `BATCH` in its stored order.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import TINY, true_class
from ness_bench.errors import NessBenchError, nearest
from ness_bench.spaces.nas_bench_201 import Architecture, prune

if TYPE_CHECKING:
    from ness_bench.networks.one_shot_model import OneShotModel

BATCH = 100
"""Validation examples in a batch; the last one may be smaller."""

OWN_BATCH, SPLIT, CALIBRATED = "batch", "split", "calibrated"
STATISTICS = (OWN_BATCH, SPLIT, CALIBRATED)
"""Whose statistics normalise a validation image: its batch's, as in training; the whole split's; or those of training
images, which an architecture is calibrated on before (Guo et al., arXiv 1904.00420)."""

CALIBRATION_IMAGES = 500
"""The first of the train split. Source: ours."""


def require_statistics(statistics: str) -> None:
    """Refuse what is none of `STATISTICS`.

    Raises:
        NessBenchError: it is none.
    """
    if statistics not in STATISTICS:
        raise NessBenchError(
            f'statistics of batch normalisation were given as "{statistics}"{nearest(statistics, STATISTICS)}; '
            f"allowed: {', '.join(STATISTICS)}"
        )


@dataclass(frozen=True)
class ComputedScores:
    """Passes through a supernet, computed when they are asked for; see `tasks.supernet.InheritedScores`.

    Attributes:
        labels: of the validation split.
        statistics: one of `STATISTICS`.
        calibration: normalised training images, for `CALIBRATED`.
    """

    kind: str
    epochs: int
    model: "OneShotModel"
    alphas: npt.NDArray[np.float32] | None
    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    statistics: str = OWN_BATCH
    calibration: npt.NDArray[np.float32] | None = None
    _known: dict[tuple[Architecture, int], float] = field(default_factory=dict)

    @cached_property
    def _parts(self) -> list[slice]:
        return parts_of(len(self.labels))

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        paths = [prune(tuple(row)) for row in architectures.tolist()]
        for batch in batches.tolist():
            new = [path for path in dict.fromkeys(paths) if (path, batch) not in self._known]
            if new:
                self._compute(np.array(new, np.int8), new, batch)
        return np.array([sum(self._known[path, batch] for batch in batches.tolist()) for path in paths])

    def _compute(self, architectures: npt.NDArray[np.int8], paths: list[Architecture], batch: int) -> None:
        """Fill in the log-likelihoods of a batch; where the whole split is passed at once, of all."""
        if self.statistics == OWN_BATCH:
            of = {batch: self._predict(architectures, self.images[self._parts[batch]])}
        else:
            predicted = self.predict(architectures)
            of = {number: predicted[:, part] for number, part in enumerate(self._parts)}
        for number, of_batch in of.items():
            summed = self._log_likelihood(of_batch, self._parts[number])
            self._known.update(((path, number), value) for path, value in zip(paths, summed.tolist(), strict=True))

    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        if self.statistics == OWN_BATCH:
            return np.concatenate([self._predict(architectures, self.images[part]) for part in self._parts], axis=1)
        return self._predict(architectures, self.images)

    def _predict(self, architectures: npt.NDArray[np.int8], images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        from ness_bench.training.one_shot import inherited  # here, since PyTorch is slow to load

        paths = [tuple(row) for row in architectures.tolist()]
        return np.stack(list(inherited.predictions(self.model, paths, images, calibration=self.calibration)))

    def _log_likelihood(self, predicted: npt.NDArray[np.float32], part: slice) -> npt.NDArray[np.float64]:
        """[..., examples of the part, classes] to [...]."""
        likelihoods = np.maximum(true_class(predicted, self.labels[part]), TINY)
        summed: npt.NDArray[np.float64] = np.log(likelihoods).sum(-1, dtype=np.float64)
        return summed


def parts_of(examples: int) -> list[slice]:
    """The batches that a validation split is cut into."""
    return [slice(first, first + BATCH) for first in range(0, examples, BATCH)]
