"""Class probabilities in whole units, so that sums over members, and ties between classes, are exact.

The layout is made for scoring at memory speed: for every example the true class comes first, so that hits and
likelihoods need no look-up, and the examples are innermost, so that every step is a loop over contiguous integers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Units = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.int64]

TOTAL = 4096
"""The units of one example sum to this; a power of two, so that a float32 holds every probability exactly."""

MOST_MEMBERS = 15
"""The units of so many members, but not of more, add up in 16 bits."""


def true_class_first(units: Units, labels: Labels) -> Units:
    """[..., examples, classes], classes in order, to [..., classes, examples], the true class before the others."""
    position = np.arange(units.shape[-1])[:, None]
    order = np.where(position == 0, labels, position - (position <= labels))
    return np.ascontiguousarray(units[..., np.arange(len(labels)), order])


@dataclass(frozen=True)
class QuantisedPredictions:
    """What every member predicts on one split, in units of 1 / `TOTAL`.

    Attributes:
        units: uint16 [members, classes, examples], as `true_class_first` orders them; may be memory-mapped. Those of
            one example sum to `TOTAL`; nothing here checks it, and scoring reads past its tables where they do not.
        labels: int64 [examples].
    """

    units: Units
    labels: Labels

    @classmethod
    def of(cls, units: Units, labels: Labels) -> "QuantisedPredictions":
        """From uint16 [members, examples, classes] with the classes in order."""
        return cls(true_class_first(units, labels), labels)

    def __len__(self) -> int:
        """How many members there are."""
        return len(self.units)

    def probabilities(self, rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The class probabilities of the members at `rows`, float32 [rows, examples, classes]; exact."""
        classes = np.arange(self.units.shape[1])
        labels = self.labels[:, None]
        position = np.where(classes == labels, 0, classes + (classes < labels))
        members = self.units[np.asarray(rows)]
        return _shares(members[..., position, np.arange(len(labels))[:, None]])

    def true_class(self, rows: npt.ArrayLike | None = None) -> npt.NDArray[np.float32]:
        """What the members at `rows`, or all, give to the true classes, float32 [rows, examples]; exact."""
        units = self.units[:, 0]
        return _shares(units if rows is None else units[np.asarray(rows)])


def _shares(units: Units) -> npt.NDArray[np.float32]:
    return units.astype(np.float32) / np.float32(TOTAL)
