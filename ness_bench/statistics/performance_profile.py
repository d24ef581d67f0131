"""Performance profiles: the share of runs that are good enough, whatever one deems enough."""

import numpy as np
import numpy.typing as npt

from ness_bench.statistics.bootstrap import RESAMPLES, as_strata, draw_counts, quantile_interval, stratified_draws

Floats = npt.NDArray[np.float64]


def performance_profile(losses: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """The share of runs whose loss is at most τ, for each τ.

    Dolan & Moré (2002) profile ratios to the best solver; with the losses themselves it is the distribution of scores
    of Agarwal et al. (2021, arXiv 2108.13264).

    Args:
        losses: float [strata, repetitions].
        thresholds: τ, float [thresholds].

    Returns:
        float64 [thresholds], in [0, 1].

    Raises:
        NessBenchError: losses of another shape.
    """
    share: Floats = _enough(losses, thresholds).mean((0, 1))
    return share


def profile_band(
    losses: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    *,
    jointly: bool = False,
) -> tuple[Floats, Floats]:
    """Pointwise band of the `performance_profile` by the stratified bootstrap; see `stratified_draws`.

    Args:
        losses, thresholds: see `performance_profile`.
        seed: of the resampling; the same seed and losses give the same band.
        level: coverage aimed at, at each threshold by itself.
        resamples: number of resamples.
        jointly: whether strata share their repetitions.

    Returns:
        (low, high), each float64 [thresholds].

    Raises:
        NessBenchError: losses of another shape.
    """
    enough = _enough(losses, thresholds)
    strata, repetitions, number = enough.shape
    if jointly:
        strata, enough = 1, enough.mean(0, keepdims=True)  # what is drawn together can be averaged before
    counts = draw_counts(stratified_draws(strata, repetitions, seed, resamples))
    shares = counts.reshape(resamples, -1) @ enough.reshape(-1, number) / (strata * repetitions)
    return quantile_interval(shares, level)


def _enough(losses: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """1 where a loss is at most the threshold, else 0: [strata, repetitions, thresholds]."""
    return (as_strata(losses)[..., None] <= np.asarray(thresholds, dtype=np.float64)).astype(np.float64)
