"""How probable it is that a run of one method does better than a run of another."""

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import RESAMPLES, as_strata, draw_counts, quantile_interval, stratified_draws

Floats = npt.NDArray[np.float64]


def probability_of_improvement(losses: npt.ArrayLike, others: npt.ArrayLike) -> float:
    """The mean over strata of P(loss < other) + P(loss = other) / 2 (Agarwal et al., 2021, arXiv 2108.13264).

    In each stratum that is the Mann–Whitney U over the number of pairs, every run of the one against every run of the
    other. As the field does, pairs are not only those of a common seed: the question is how a run of the one does
    against *any* run of the other.

    Args:
        losses: float [strata, repetitions].
        others: float [strata, repetitions]; the number of repetitions may differ.

    Raises:
        NessBenchError: scores of another shape, or other strata on both sides.
    """
    return float(_beats(losses, others).mean())


def improvement_interval(
    losses: npt.ArrayLike,
    others: npt.ArrayLike,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    *,
    jointly: bool = False,
) -> tuple[float, float]:
    """Stratified percentile bootstrap interval of the `probability_of_improvement`.

    Args:
        losses, others: see `probability_of_improvement`.
        seed: of the resampling; the same seed and losses give the same interval.
        level: coverage aimed at.
        resamples: number of resamples.
        jointly: whether repetitions are resampled with all that was run in them, both methods in all strata, as is
            right for common seeds; else everything is resampled apart, as in Agarwal et al. (2021).

    Returns:
        (low, high), each in [0, 1].

    Raises:
        NessBenchError: scores of another shape, other strata on both sides, or joint repetitions whose numbers differ.
    """
    beats = _beats(losses, others)
    strata, ours, theirs = beats.shape
    rng = np.random.default_rng(seed)
    if jointly:
        if ours != theirs:
            raise NessBenchError(f"{ours} and {theirs} repetitions cannot be drawn jointly; give as many of both")
        counts = draw_counts(stratified_draws(1, ours, rng, resamples)[:, 0])
        resampled = (counts @ beats.sum(0) * counts).sum(1) / beats.size  # of halves, whose sums are exact
    else:
        of_ours = draw_counts(stratified_draws(strata, ours, rng, resamples))
        of_theirs = draw_counts(stratified_draws(strata, theirs, rng, resamples))
        sums = [(of_ours[:, s] @ beats[s] * of_theirs[:, s]).sum(1) for s in range(strata)]
        resampled = np.mean(sums, axis=0) / (ours * theirs)
    low, high = quantile_interval(resampled, level)
    return float(low), float(high)


def _beats(losses: npt.ArrayLike, others: npt.ArrayLike) -> Floats:
    """1 where a loss is below another's, ½ where they are equal, else 0: [strata, losses, others]."""
    ours, theirs = as_strata(losses), as_strata(others)
    if len(ours) != len(theirs):
        raise NessBenchError(f"losses of {len(ours)} strata cannot be held against those of {len(theirs)}")
    below = ours[:, :, None] < theirs[:, None, :]
    equal = ours[:, :, None] == theirs[:, None, :]
    beats: Floats = below + equal / 2
    return beats
