"""One number for a curve over budgets."""

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError

Floats = npt.NDArray[np.float64]


def area_under_budget(budgets: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """The mean of a curve over the logarithm of the budget: its area by trapezoids over the width of that axis. (ours)

    It has the values' units, and no unit of the budget changes it. Of a single budget it is the value there.

    Args:
        budgets: above 0 and ascending, float [budgets].
        values: float [..., budgets].

    Returns:
        float64 [...].

    Raises:
        NessBenchError: other budgets, or not as many as values.
    """
    at, curve = np.asarray(budgets, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if not len(at) or not (at > 0).all() or not (np.diff(at) > 0).all() or curve.shape[-1] != len(at):
        raise NessBenchError(
            f"budgets were given as {at.tolist()} for values of the shape {list(curve.shape)}; they must be above 0 "
            "and ascend, as many as the values have on their last axis"
        )
    if len(at) == 1:
        return curve[..., 0]
    logs = np.log(at)
    area: Floats = np.trapezoid(curve, logs, axis=-1) / (logs[-1] - logs[0])
    return area
