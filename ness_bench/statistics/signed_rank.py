"""Wilcoxon's signed-rank test of paired differences."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ness_bench.statistics.ranks import average_ranks

Floats = npt.NDArray[np.float64]

MOST_EXACT = 50
"""Pairs up to which the distribution is exact. Beyond, a normal law is as good."""

_DIGITS = 12
"""To which two differences are the same, relative to the largest: .903 − .9 and .103 − .1 are, but for rounding."""


@dataclass(frozen=True)
class SignedRank:
    """The smaller sum of signed ranks, its two-sided p, and how many pairs differ at all."""

    statistic: float
    p: float
    pairs: int


def signed_rank(differences: npt.ArrayLike) -> SignedRank:
    """Two-sided signed-rank test that differences are symmetric about 0 (Wilcoxon, 1945).

    Differences of 0 are left out, as Wilcoxon did; equal ones share their mean rank. Up to `MOST_EXACT` pairs, p comes
    from the distribution of the rank sum over all 2^pairs choices of signs, ties or not; beyond, from the normal law
    with the variance corrected for ties. Of n pairs p is at least 2^(1−n), so of five never below 5 %; of none it is 1.

    Args:
        differences: finite, float [pairs].
    """
    values = np.asarray(differences, dtype=np.float64)
    largest = np.abs(values).max(initial=0)
    values = np.round(values / largest, _DIGITS) if largest else values
    values = values[values != 0]
    pairs = len(values)
    if not pairs:
        return SignedRank(0.0, 1.0, 0)
    ranks = average_ranks(np.abs(values))
    positive = float(ranks[values > 0].sum())
    statistic = min(positive, float(ranks.sum()) - positive)
    if pairs <= MOST_EXACT:
        return SignedRank(statistic, _exact_p(ranks, statistic), pairs)
    deviation = math.sqrt((ranks**2).sum() / 4)  # the sum over ranks holds the correction for ties
    return SignedRank(statistic, float(2 * ndtr((statistic - ranks.sum() / 2) / deviation)), pairs)


def _exact_p(ranks: Floats, statistic: float) -> float:
    """Twice the share of choices of signs whose positive ranks sum to `statistic` or less, at most 1."""
    doubled = np.round(2 * ranks).astype(np.int64)  # mean ranks of ties are halves
    shares = np.zeros(doubled.sum() + 1)  # of the choices so far, by twice their sum
    shares[0] = 1
    for rank in doubled:
        shares /= 2
        shares[rank:] += shares[:-rank].copy()
    return min(1.0, float(2 * shares[: round(2 * statistic) + 1].sum()))
