"""The interquartile mean: less swayed by outliers than the mean, less noisy than the median."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def interquartile_mean(scores: npt.ArrayLike) -> Floats:
    """The mean of the middle half of the scores (Agarwal et al., 2021, arXiv 2108.13264).

    A quarter of the scores, rounded down, is left out at either end, so that of up to three the plain mean is left.

    Args:
        scores: float [..., scores]; those of several strata pooled on the last axis.

    Returns:
        float64 [...].
    """
    values = np.asarray(scores, dtype=np.float64)
    number = values.shape[-1]
    cut = number // 4
    if cut:
        values = np.partition(values, (cut, number - cut - 1), axis=-1)[..., cut : number - cut]
    mean: Floats = values.mean(axis=-1)
    return mean


def pooled_interquartile_mean(scores: Floats) -> Floats:
    """The interquartile mean of all strata's scores, float [..., strata, repetitions] → [...]."""
    return interquartile_mean(scores.reshape(*scores.shape[:-2], -1))
