"""The Brier score of every ensemble from one matrix, and the search for the best ensemble in it.

The Brier score of members with weights w is w'Gw / (examples · TOTAL²), where G = RR' and row i of R holds the
residuals of member i, units − TOTAL · 1[c = label], over all examples and classes. Once G is there, no ensemble
needs the predictions any more. For members of equal weight it leaves Σ_ij G_ij over the members to compare. Ours.

G is exact, and so is every comparison below: residuals are integers of at most TOTAL, so with up to 10⁵ examples ·
classes and `MOST_MEMBERS` members all sums are integers under 2⁵³, which float64 holds in whatever order they add up.
"""

from collections.abc import Iterator, Sequence
from math import comb

import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import Integers
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions

Matrix = npt.NDArray[np.float64]

CHUNK = 200
"""Examples whose residuals are in memory at a time."""


def gram(predictions: QuantisedPredictions) -> Matrix:
    """G, float64 [members, members]."""
    G = np.zeros((len(predictions), len(predictions)))
    for start in range(0, len(predictions.labels), CHUNK):
        R = predictions.units[:, :, start : start + CHUNK].astype(np.float64)
        R[:, 0] -= TOTAL
        R = R.reshape(len(R), -1)
        G += R @ R.T
    return G


def brier(
    matrix: Matrix, rows: Integers, examples: int, weights: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """The Brier score of every ensemble, float64 [...], as `metrics.brier` defines it.

    Args:
        matrix: G.
        rows: int [..., size], the members of each ensemble.
        examples: how many examples G sums over.
        weights: float [..., size], summing to 1 for each ensemble; None for the plain mean.
    """
    shares = np.full(rows.shape, 1 / rows.shape[-1]) if weights is None else np.asarray(weights)
    squares = np.einsum("...i,...ij,...j", shares, matrix[rows[..., :, None], rows[..., None, :]], shares)
    return np.asarray(squares / (examples * TOTAL**2))


def greedy(matrix: Matrix, size: int) -> list[int]:
    """Forward selection without replacement: the next member lowers the Brier score most; ties go to the lowest row."""
    rows: list[int] = []
    added = matrix.diagonal().copy()  # what each candidate would add to Σ_ij G_ij
    for _ in range(size):
        added[rows] = np.inf
        rows.append(int(added.argmin()))
        added += 2 * matrix[rows[-1]]
    return rows


def improve(matrix: Matrix, rows: Sequence[int]) -> list[int]:
    """`rows` after swaps of a member for an outsider, each time the best swap, until none lowers the Brier score."""
    rows = list(rows)
    own = matrix.diagonal()
    while True:
        shared = matrix[rows].sum(0)
        leaving = own[rows] - 2 * shared[rows]
        entering = own + 2 * shared
        entering[rows] = np.inf
        change = leaving[:, None] + entering - 2 * matrix[rows]
        out, into = np.unravel_index(change.argmin(), change.shape)
        if change[out, into] >= 0:
            return rows
        rows[out] = int(into)


def prove(matrix: Matrix, rows: Sequence[int]) -> Iterator[tuple[float, list[int]]]:
    """Search all ensembles as large as `rows`, two at least, for a lower Brier score; skips those that cannot have one.

    Give each pair of members the cost f_ij = 2(n − 1)G_ij + G_ii + G_jj. The pairs of an ensemble of n then cost
    (n − 1) Σ_ij G_ij together. Take its members away one by one, always the one whose pairs with the others left cost
    most. Of k members that one has at least 2/k of the cost, the average, so C(k−1,2) / C(k,2) of it remains at most,
    and of the whole cost at most C(k,2) / C(n,2) when k members are left. The search retraces this: it builds subsets
    by adding members that cost at least as much as each member there, and drops a subset that is not below its share
    of the best cost known. Few subsets remain, because the bound falls where the pairs are nearly the best there are.

    Yields:
        (share of the search that is done, best rows so far). The last share is 1, and its rows are the optimum.
    """
    size, own, best = len(rows), matrix.diagonal(), list(rows)
    cost = (size - 1) * matrix[best][:, best].sum()
    subsets = [[first] for first in reversed(range(len(matrix)))]
    while subsets:
        subset = subsets.pop()
        yield subset[0] / len(matrix), best
        shared = 2 * (size - 1) * matrix[subset]
        added = shared.sum(0) + own[subset].sum() + len(subset) * own  # the pairs of each candidate with the members
        inside = added[subset] - 2 * size * own[subset]  # those of each member with the others
        added[subset] = np.inf
        if len(subset) == 1:
            added[: subset[0]] = np.inf  # neither member of a pair costs more: build it once
        total = inside.sum() / 2 + added
        if len(subset) == size - 1:
            last = int(total.argmin())
            if total[last] < cost:
                best, cost = [*subset, last], total[last]
        else:
            # Costs are integers: those below a fraction are those below that fraction rounded up.
            limit = -(-int(cost) * comb(len(subset) + 1, 2) // comb(size, 2))
            below = np.flatnonzero(total < limit)
            f = shared[:, below] + own[subset, None] + own[below]
            costliest = (added[below] >= inside[:, None] + f).all(0)
            subsets += [[*subset, int(row)] for row in below[costliest]]
    yield 1.0, best
