"""Accuracy, NLL, Brier score and ECE of many ensembles at once, about as fast as memory delivers the predictions.

The metrics are those of `metrics`, for members of equal weight. Only integers are added up: the members' units,
and logarithms in fixed point. So ties are exact, and neither the number of threads nor the order of the members
changes a bit of a score.

The loops run over indices into one-dimensional rows, because those are what Numba turns into vector instructions.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import BINS, TINY, Integers, calibration_bins
from ness_bench.ensembles.quantised import MOST_MEMBERS, TOTAL, Labels, QuantisedPredictions, Units
from ness_bench.errors import NessBenchError

NAT = 2**24
"""Steps that a nat has in fixed point; the largest loss, −ln `TINY`, then fits in 32 bits."""

PART = 128
"""Ensembles that a thread scores at a time, in about a millisecond; fewer are not worth a second thread."""

Losses = npt.NDArray[np.int32]
Bins = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
Scalars = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The scores of each ensemble, float64 [ensembles], as the functions of the same names in `metrics` define them."""

    accuracy: Scalars
    nll: Scalars
    brier: Scalars
    ece: Scalars


def score(predictions: QuantisedPredictions, ensembles: Integers) -> Scores:
    """Score each ensemble by the plain mean of its members, on NUMBA_NUM_THREADS threads (as many as there are cores).

    Args:
        predictions: of all candidates on one split.
        ensembles: int [ensembles, size], rows of `predictions`; a row that stands twice counts twice.

    Raises:
        NessBenchError: no ensembles, no members, or rows that `predictions` does not have.
    """
    members = np.ascontiguousarray(ensembles, np.int64)
    if members.ndim != 2 or members.size == 0:
        raise NessBenchError(
            f"ensembles of shape {list(members.shape)} cannot be scored; give rows as [ensembles, size], none of them 0"
        )
    if members.min() < 0 or members.max() >= len(predictions):
        raise NessBenchError(
            f"ensembles name rows {members.min()} to {members.max()}, but the predictions have rows 0 to "
            f"{len(predictions) - 1}; name only those"
        )
    size = members.shape[1]
    kind = np.uint16 if size <= MOST_MEMBERS else np.uint32
    rows = predictions.units.reshape(len(predictions), -1).view(np.ndarray)
    rows.flags.writeable = False  # as a memory map is: compiled once for both
    tables = _tables(size)
    parts = np.array_split(members, -(-len(members) // PART))
    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as threads:
        in_parallel = threads.map if len(parts) > 1 else map
        scores = in_parallel(lambda part: _score_all(rows, predictions.labels, part, kind, *tables), parts)
        return Scores(*np.concatenate(list(scores), axis=1))


@cache
def _tables(size: int) -> tuple[Losses, Bins]:
    """For each sum that the units of `size` members may have: its loss in `NAT`s, its bin in the calibration error."""
    means = np.arange(size * TOTAL + 1) / (size * TOTAL)
    losses = np.rint(-NAT * np.log(np.maximum(means, TINY)))
    return losses.astype(np.int32), calibration_bins(means).astype(np.uint8)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _score_all(rows: Units, labels: Labels, ensembles: Integers, kind: Any, losses: Losses, bins: Bins) -> Scalars:
    """Accuracy, NLL, Brier score, ECE: [4, ensembles]. `rows` is [members, classes · examples], `kind` that of sums."""
    scores = np.empty((4, len(ensembles)))
    for index in range(len(ensembles)):
        sums = _sum(rows, ensembles[index], kind).reshape(-1, len(labels))
        accuracy, nll, brier, ece = _score_one(sums, labels, ensembles.shape[1] * TOTAL, losses, bins)
        scores[0, index], scores[1, index], scores[2, index], scores[3, index] = accuracy, nll, brier, ece
    return scores


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _sum(rows: Units, members: Integers, kind: Any) -> Sums:
    """The sum of the members' rows."""
    sums = np.zeros(rows.shape[1], kind)
    odd = len(members) % 2
    if odd:
        first = rows[members[0]]
        for i in range(len(sums)):
            sums[i] = first[i]
    for j in range(odd, len(members), 2):  # two rows at once: half the passes over the sums
        first, second = rows[members[j]], rows[members[j + 1]]
        for i in range(len(sums)):
            sums[i] += first[i] + second[i]
    return sums


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _score_one(sums: Sums, labels: Labels, whole: int, losses: Losses, bins: Bins) -> tuple[float, float, float, float]:
    """The scores of one ensemble from [classes, examples], where `whole` stands for the probability 1."""
    examples = len(labels)
    true = sums[0]
    rivals = sums[1].copy()  # the likeliest of the other classes
    for j in range(2, len(sums)):
        others = sums[j]
        for i in range(examples):
            rivals[i] = max(rivals[i], others[i])

    hits, loss, gaps = 0, 0, np.zeros(BINS, np.int64)
    for i in range(examples):
        confidence = max(true[i], rivals[i])
        right = true[i] >= rivals[i]
        hits += right
        loss += losses[true[i]]
        gaps[bins[confidence]] += (whole if right else 0) - np.int64(confidence)

    ties = 0
    for i in range(examples):
        ties += true[i] == rivals[i]
    if ties:  # seldom, so the loop above took them for hits; but the lowest class wins, and it may be another
        for i in range(examples):
            if true[i] == rivals[i] and np.any(sums[1 : labels[i] + 1, i] == true[i]):
                hits -= 1
                gaps[bins[true[i]]] -= whole

    squares = np.int64(0)  # Σ_c (p_c − 1[c = label])² = Σ_c p_c² + 1 − 2 p_label
    for j in range(len(sums)):
        units = sums[j]
        for i in range(examples):
            squares += np.int64(units[i]) * np.int64(units[i])
    for i in range(examples):
        squares += whole * (whole - 2 * np.int64(true[i]))

    return (
        hits / examples,
        loss / (NAT * examples),
        squares / (whole * whole * examples),
        np.abs(gaps).sum() / (whole * examples),
    )
