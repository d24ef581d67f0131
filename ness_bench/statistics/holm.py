"""Holm's adjustment of p-values for how many tests were made."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> Floats:
    """Step-down adjusted p-values (Holm, 1979): reject those at most α, and with 1 − α no true hypothesis is rejected.

    The smallest of m is multiplied by m, the next by m − 1, …; none gets below one before it, nor above 1.

    Args:
        p: float [tests].

    Returns:
        float64 [tests], in the order given.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return adjusted
