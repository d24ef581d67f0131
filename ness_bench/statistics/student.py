"""Paired differences by Student's t: an interval of their mean, and the test of non-inferiority."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from ness_bench.errors import NessBenchError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences and the ends of its 95 % interval by Student's t; endless of a single pair.

    The interval leaves out 0 in 5 % of cases where normal pairs do not differ in truth; that of the bootstrap does in
    14 % with 6 pairs, 11 % with 10 and 7 % with 20.
    """

    mean: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.low <= 0 <= self.high

    @property
    def none(self) -> bool:
        """Whether all pairs are equal."""
        return self.low == self.high == 0


def mean_difference(differences: npt.ArrayLike) -> Difference:
    """The mean of paired differences, float [pairs], with its 95 % interval.

    Raises:
        NessBenchError: there are none, or some are not finite.
    """
    values = _finite(differences)
    mean, half = float(values.mean()), _half_width(values, 0.975)
    return Difference(mean, mean - half, mean + half)


@dataclass(frozen=True)
class NonInferiority:
    """What paired differences "loss of the new minus loss of the old" say about a margin of tolerance.

    Attributes:
        mean: of the differences.
        lower, bound: one-sided lower and upper confidence bounds of the mean; −∞ and ∞ of a single pair.
        margin: the mean loss that is tolerated, in the losses' units.
    """

    mean: float
    lower: float
    bound: float
    margin: float

    @property
    def holds(self) -> bool:
        """Whether the new is shown not to be worse than the old by the margin or more."""
        return self.bound < self.margin

    @property
    def verdict(self) -> str:
        """ "non-inferior", "inferior" if the new is shown to be worse by more than the margin, or "inconclusive"."""
        if self.holds:
            return "non-inferior"
        return "inferior" if self.lower > self.margin else "inconclusive"


def non_inferiority(differences: npt.ArrayLike, margin: float, level: float = 0.95) -> NonInferiority:
    """Test of non-inferiority by the paired t (Piaggio et al., JAMA 2012; Wellek, 2010, ch. 5).

    Where normal differences have the margin as their mean, the test holds in 1 − level of cases. Pairs that are all
    equal leave no doubt: their bound is 0.

    Args:
        differences: loss of the new minus loss of the old, float [pairs].
        margin: the mean loss that is tolerated, above 0, in the losses' units. It has to be chosen before the runs.
        level: confidence of the one-sided bounds.

    Raises:
        NessBenchError: no differences, some that are not finite, or a margin that is not above 0.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise NessBenchError(f"the margin of non-inferiority is {margin}; it must be above 0, in the losses' units")
    values = _finite(differences)
    mean, half = float(values.mean()), _half_width(values, level)
    return NonInferiority(mean, mean - half, mean + half, margin)


def _half_width(values: Floats, quantile: float) -> float:
    """The quantile of Student's t times the standard error of the mean."""
    pairs = len(values)
    return float(stdtrit(pairs - 1, quantile) * values.std(ddof=1)) / math.sqrt(pairs) if pairs > 1 else math.inf


def _finite(differences: npt.ArrayLike) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise NessBenchError(
            f"differences were given as [{', '.join(map(str, values.ravel()[:5]))}{', …' if values.size > 5 else ''}] "
            f"of the shape {list(values.shape)}; give one finite number a pair, at least one"
        )
    return values
