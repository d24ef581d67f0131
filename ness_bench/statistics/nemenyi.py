"""By how much mean ranks must differ, and which methods do not differ by that much."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ness_bench.errors import NessBenchError

_NODES = np.linspace(-9, 9, 721)
"""Where the normal density is summed: it is 1e-18 at the ends, and so smooth that sums are as good as integrals."""


def range_distribution(width: float, normals: int) -> float:
    """P(largest − smallest ≤ width) of independent standard normals: n ∫ φ(z) (Φ(z + width) − Φ(z))^(n−1) dz.

    z is the smallest of them (Harter, 1960). This is the studentised range with infinitely many degrees of freedom.
    """
    density = np.exp(-(_NODES**2) / 2) / math.sqrt(2 * math.pi)
    others = (ndtr(_NODES + width) - ndtr(_NODES)) ** (normals - 1)
    return float(normals * (density * others).sum() * (_NODES[1] - _NODES[0]))


@lru_cache
def range_quantile(level: float, normals: int) -> float:
    """The width that the range of independent standard normals stays within with probability `level`.

    Raises:
        NessBenchError: fewer than two normals, or a level outside of (0, 1).
    """
    if normals < 2 or not 0 < level < 1:
        raise NessBenchError(f"quantile {level} of the range of {normals}; allowed: within (0, 1), of 2 or more")
    low, high = 0.0, 18.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if range_distribution(middle, normals) < level else (low, middle)
    return high


def critical_difference(methods: int, blocks: int, level: float = 0.95) -> float:
    """Nemenyi's (1963): q √(k (k + 1) / (6 N)) of k methods in N blocks, with q = `range_quantile` / √2.

    As Demšar has it (JMLR 2006, sec. 3.2.2). Where methods do not differ in truth, the largest difference of all
    reaches it in 1 − level of cases, at most.

    Args:
        methods: number of methods ranked in each block, at least two.
        blocks: number of blocks, independent of each other.
        level: 1 − the familywise error.

    Raises:
        NessBenchError: fewer than two methods.
    """
    return range_quantile(level, methods) / math.sqrt(2) * math.sqrt(methods * (methods + 1) / (6 * blocks))


def cliques(mean_ranks: npt.ArrayLike, difference: float) -> list[tuple[int, ...]]:
    """The largest groups of methods whose mean ranks lie within less than `difference`: the bars of Demšar's diagrams.

    Args:
        mean_ranks: float [methods].
        difference: from which on two methods differ.

    Returns:
        Indices of methods, best first, in groups of two or more of which none lies within another.
    """
    ranks = np.asarray(mean_ranks, dtype=np.float64)
    order: Sequence[int] = np.argsort(ranks, kind="stable").tolist()
    ends = np.searchsorted(ranks[order], ranks[order] + difference, side="left").tolist()
    groups = []
    reached = 0
    for start, end in enumerate(ends):
        if end > max(reached, start + 1):
            groups.append(tuple(order[start:end]))
            reached = end
    return groups
