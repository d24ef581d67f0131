"""Picking the members of an ensemble from a pool of trained networks by their validation NLL.

The NLL of an ensemble needs each member's probability of the true class only, so the functions take
`true_class`, float [pool, examples], as `metrics.true_class` returns it.
"""

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
    candidates = _grouped(true_class, size)
    members: list[int] = []
    total = np.zeros(candidates.shape[1:])
    for _ in range(size):
        scores = _log_likelihood(total + candidates)  # of a sum, not a mean: that changes no comparison
        scores[members] = -np.inf
        members.append(int(scores.argmax()))
        total += candidates[members[-1]]
    return members


def top_n(true_class: Floats, size: int) -> list[int]:
    """The `size` candidates with the lowest NLL of their own, best first; ties go to the lowest index.

    Arguments and errors are those of `forward_select`.
    """
    scores = _log_likelihood(_grouped(true_class, size))
    return [int(index) for index in np.argsort(-scores, kind="stable")[:size]]


GROUP = 8
"""Probabilities multiplied before one logarithm is taken, which costs as much as many products. Their
product cannot underflow: TINY⁸ ≈ 4e-304."""


def _grouped(true_class: Floats, size: int) -> npt.NDArray[np.float64]:
    """`true_class` as [pool, GROUP, groups], at least `TINY`, filled up with ones; refuses a pool below `size`."""
    pool, examples = true_class.shape
    if size > pool:
        raise NessBenchError(
            f"an ensemble of {size} cannot be selected from a pool of {pool}; train more networks or ask for fewer"
        )
    grouped = np.ones((pool, GROUP * -(-examples // GROUP)))
    np.maximum(true_class, TINY, out=grouped[:, :examples])
    return grouped.reshape(pool, GROUP, -1)


def _log_likelihood(grouped: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum of logarithms over all but the first axis."""
    sums: npt.NDArray[np.float64] = np.log(grouped.prod(axis=1)).sum(axis=1)
    return sums
