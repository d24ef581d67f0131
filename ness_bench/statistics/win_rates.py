"""How often each method beats each other."""

import numpy as np
import numpy.typing as npt

from ness_bench.statistics.friedman import as_blocks

Floats = npt.NDArray[np.float64]


def win_rates(losses: npt.ArrayLike) -> Floats:
    """The share of blocks in which the row's method has a lower loss than the column's, ties half; ½ on the diagonal.

    Args:
        losses: float [blocks, methods].

    Returns:
        float64 [methods, methods]; a rate and its mirror image sum to 1.

    Raises:
        NessBenchError: fewer than two methods, or no block.
    """
    values = as_blocks(losses)
    row, column = values[:, :, None], values[:, None, :]
    rates: Floats = ((row < column) + (row == column) / 2).mean(0)
    return rates
