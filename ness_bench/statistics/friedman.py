"""Whether methods differ at all, by their ranks in each block."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, fdtrc

from ness_bench.errors import NessBenchError
from ness_bench.statistics.ranks import average_ranks

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Friedman:
    """Mean ranks of the methods, 1 for the lowest loss, and whether they differ by more than chance.

    Attributes:
        mean_ranks: float [methods].
        chi_square, chi_square_p: Friedman's statistic, corrected for ties, and p from χ² with methods − 1 degrees of
            freedom, which is too large for few blocks.
        f, f_p: Iman & Davenport's statistic and p from F with methods − 1 and (methods − 1)(blocks − 1) degrees of
            freedom; infinite and 0 if all blocks rank the methods alike, NaN of a single block.
    """

    mean_ranks: Floats
    chi_square: float
    chi_square_p: float
    f: float
    f_p: float


def friedman(losses: npt.ArrayLike) -> Friedman:
    """Friedman's test (1937) and that of Iman & Davenport (1980), as Demšar recommends (JMLR 2006, sec. 3.2.2).

    Args:
        losses: float [blocks, methods]. Blocks are independent of each other.

    Raises:
        NessBenchError: fewer than two methods, or no block.
    """
    ranks = average_ranks(as_blocks(losses))
    blocks, methods = ranks.shape
    mean_ranks: Floats = ranks.mean(0)
    between = blocks * float(((mean_ranks - (methods + 1) / 2) ** 2).sum())
    within = float(((ranks - (methods + 1) / 2) ** 2).sum()) / (
        blocks * (methods - 1)
    )  # k (k + 1) / 12 of k methods without ties
    chi_square = between / within if within else 0.0  # if all losses are tied
    free = methods - 1
    most = blocks * free
    if blocks == 1:
        f = f_p = np.nan
    elif np.isclose(chi_square, most, rtol=1e-12):
        f, f_p = np.inf, 0.0
    else:
        f = (blocks - 1) * chi_square / (most - chi_square)
        f_p = float(fdtrc(free, free * (blocks - 1), f))
    return Friedman(mean_ranks, chi_square, float(chdtrc(free, chi_square)), f, f_p)


def as_blocks(losses: npt.ArrayLike) -> Floats:
    """Losses as float64 [blocks, methods].

    Raises:
        NessBenchError: fewer than two methods, or no block.
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 2 or not len(values) or values.shape[1] < 2:
        raise NessBenchError(
            f"losses have the shape {list(values.shape)}; they must be [blocks, methods], of two methods or more"
        )
    return values
