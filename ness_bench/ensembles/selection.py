"""Picking the members of an ensemble from a pool of trained networks by their validation NLL.

The NLL of an ensemble needs each member's probability of the true class only, so the functions take
`true_class`, float [pool, examples], as `metrics.true_class` returns it.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import TINY, Floats
from ness_bench.errors import NessBenchError


def forward_select(true_class: Floats, size: int) -> list[int]:
    """Greedy forward selection without replacement: ForwardSelect of Zaidi et al. (NeurIPS 2021).

    The first member has the lowest NLL; each next one is that which, averaged in, gives the ensemble the
    lowest NLL. Ties go to the lowest index.

    Args:
        true_class: float [pool, examples], each candidate's probability of the true class.
        size: number of members.

    Returns:
        Indices into the pool, in the order of selection.

    Raises:
        NessBenchError: the pool has fewer than `size` candidates.
    """
    candidates = _pool(true_class, size)
    members: list[int] = []
    total = np.zeros(candidates.shape[1])
    for _ in range(size):
        scores = _log_likelihoods(candidates, total, 1 / (len(members) + 1))
        scores[members] = -np.inf
        members.append(int(scores.argmax()))
        total += candidates[members[-1]]
    return members


def top_n(true_class: Floats, size: int) -> list[int]:
    """The `size` candidates with the lowest NLL of their own, best first; ties go to the lowest index.

    Arguments and errors are those of `forward_select`.
    """
    candidates = _pool(true_class, size)
    scores = _log_likelihoods(candidates, np.zeros(candidates.shape[1]), 1.0)
    return [int(index) for index in np.argsort(-scores, kind="stable")[:size]]


def _pool(true_class: Floats, size: int) -> Floats:
    if size > len(true_class):
        raise NessBenchError(
            f"an ensemble of {size} cannot be selected from a pool of {len(true_class)}; "
            "train more networks or ask for fewer"
        )
    return np.ascontiguousarray(true_class)


GROUP = 8
"""Probabilities multiplied between two looks at the product, which stays a normal number: TINY⁸ ≈ 4e-304."""
LOW = 1e-300
"""A product is replaced by its logarithm before it falls below this."""


@numba.njit(cache=True, fastmath={"reassoc", "nsz"})  # type: ignore[untyped-decorator]
def _log_likelihoods(candidates: Floats, total: Floats, weight: float) -> npt.NDArray[np.float64]:
    """Σ ln(weight · (total + candidate)) over the examples: [pool]. Probabilities are raised to `TINY`.

    A logarithm costs as much as many products, so one is taken only where a product would underflow. Groups have a
    constant length and their products no set order, so that a group is multiplied in vector registers.
    """
    pool, examples = candidates.shape
    full = examples // GROUP * GROUP
    sums = np.zeros(pool)
    for row in range(pool):
        candidate = candidates[row]
        product = 1.0
        for start in range(0, full, GROUP):
            group = 1.0
            for i in range(start, start + GROUP):
                group *= max(weight * (total[i] + candidate[i]), TINY)
            if product * group < LOW:
                sums[row] += math.log(product)
                product = 1.0
            product *= group
        for i in range(full, examples):
            likelihood = max(weight * (total[i] + candidate[i]), TINY)
            if product * likelihood < LOW:
                sums[row] += math.log(product)
                product = 1.0
            product *= likelihood
        sums[row] += math.log(product)
    return sums
