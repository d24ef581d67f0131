"""Ranks from 1 for the smallest; equal values share the mean of theirs."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def average_ranks(values: npt.ArrayLike) -> Floats:
    """Ranks along the last axis, float [..., n] to float64 [..., n]."""
    return np.apply_along_axis(_ranks, -1, np.asarray(values))


def _ranks(row: Floats) -> Floats:
    ordered = np.sort(row)
    below, up_to = (np.searchsorted(ordered, row, side) for side in ("left", "right"))
    return (below + up_to + 1) / 2
