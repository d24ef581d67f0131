"""The best ensemble of a bank, proved to be the best where a proof is within reach.

- Brier score: proved by `gram.prove`, which takes a moment for up to ten members.
- Accuracy and NLL of one or two members: proved by looking at every ensemble. That is quick because the examples
  stand hardest first: most pairs lose more on the first few hundred than the best pair known loses on all of them,
  and are left there.
- Accuracy and NLL of more members: the best that swaps from several starts lead to, and a bound.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from ness_bench.ensembles import metrics
from ness_bench.ensembles.gram import Matrix, greedy, improve, prove
from ness_bench.ensembles.gram import gram as gram_of
from ness_bench.ensembles.quantised import MOST_MEMBERS, TOTAL, QuantisedPredictions, Units
from ness_bench.errors import NessBenchError

Floats = npt.NDArray[np.float64]
Search = Iterator[tuple[float, list[int]]]
"""Yields (share of the search that is done, best rows so far)."""

STARTS = 20
"""Ensembles from which swaps set out."""


@dataclass(frozen=True)
class Optimum:
    """The best ensemble found.

    Attributes:
        metric: "accuracy", "nll" or "brier".
        rows: its members, ascending.
        value: its score, as `metrics` computes it.
        bound: no ensemble of this size scores better: at least `value` for accuracy, at most `value` otherwise.
        proven: no ensemble of this size scores better than `value`, which then is the bound. Exact, but for NLLs that
            differ in the last digits of a float64 only, which count as equal.
    """

    metric: str
    rows: tuple[int, ...]
    value: float
    bound: float
    proven: bool


def best_ensemble(
    predictions: QuantisedPredictions,
    metric: str,
    size: int,
    *,
    gram: Matrix | None = None,
    seconds: float = 60,
    progress: Callable[[float], object] = lambda share: None,
) -> Optimum:
    """The best ensemble of `size` different members of equal weight.

    Args:
        predictions: of all candidates on one split.
        metric: "accuracy", "nll" or "brier".
        size: number of members.
        gram: what `gram.gram` returns for `predictions`, where it is there already; only the Brier score needs it.
        seconds: after so long the search ends with the best found so far.
        progress: told the share of the search that is done after every step.

    Raises:
        NessBenchError: an unknown metric, or a size that is not between 1 and what bank and `MOST_MEMBERS` allow.
    """
    if metric not in METRICS:
        raise NessBenchError(f'no best ensemble by "{metric}"; choose from {", ".join(METRICS)}')
    largest = min(len(predictions), MOST_MEMBERS)
    if not 1 <= size <= largest:
        raise NessBenchError(f"no ensemble of {size} out of {len(predictions)} members; ask for 1 to {largest}")
    deadline = time.monotonic() + seconds
    problem = METRICS[metric](predictions, size, gram)
    for share, best in problem.search:
        progress(share)
        rows = sorted(best)
        if time.monotonic() > deadline:
            break
    value = problem.score(metrics.ensemble_probabilities(predictions.probabilities(rows)), predictions.labels)
    proven = share == 1 and problem.provable
    return Optimum(metric, tuple(rows), value, value if proven else problem.bound(value), proven)


@dataclass(frozen=True)
class _Problem:
    """A metric and a size.

    Attributes:
        score: the metric, of [examples, classes] and labels.
        search: for the best ensemble; not started yet.
        provable: whether what the whole search finds is the best.
        bound: from the value that a search found to what no ensemble beats.
    """

    score: Callable[[Floats, metrics.Integers], float]
    search: Search
    provable: bool
    bound: Callable[[float], float]


def _brier(predictions: QuantisedPredictions, size: int, gram: Matrix | None) -> _Problem:
    matrix = gram_of(predictions) if gram is None else gram

    def bound(value: float) -> float:
        least = _lower_bound(matrix, lambda weights, products: (float(weights @ products), 2 * products), size)
        return min(value, least / (len(predictions.labels) * TOTAL**2))

    return _Problem(metrics.brier, _search_gram(matrix, size), True, bound)


def _accuracy(predictions: QuantisedPredictions, size: int, _: object) -> _Problem:
    return _Problem(metrics.accuracy, _search(_errors(predictions, size), size), size <= 2, lambda value: 1.0)


def _nll(predictions: QuantisedPredictions, size: int, _: object) -> _Problem:
    def bound(value: float) -> float:
        likelihoods = predictions.true_class().astype(np.float64)

        def tangent(weights: Floats, ensemble: Floats) -> tuple[float, Floats]:
            return float(-np.log(ensemble).mean()), -(likelihoods @ (1 / ensemble)) / len(ensemble)

        return min(value, _lower_bound(likelihoods, tangent, size))

    return _Problem(metrics.nll, _search(_log_losses(predictions, size), size), size <= 2, bound)


METRICS = {"accuracy": _accuracy, "nll": _nll, "brier": _brier}


def _lower_bound(columns: Floats, tangent: Callable[[Floats, Floats], tuple[float, Floats]], size: int) -> float:
    """What a convex function of the members' weights does not fall below on any ensemble of `size`.

    An ensemble is a point where `size` weights are 1 / size and the others 0. Among all weights of at most 1 / size
    that sum to 1 a convex function lies above its tangents, and a tangent is lowest at an ensemble, that of the
    `size` members with the steepest descent. The method of Frank and Wolfe (1956) goes from there to there, so its
    tangents come near the minimum over all such weights.

    Args:
        columns: float64 [members, n]; the function depends on weights @ columns.
        tangent: (weights, weights @ columns) to value and gradient [members].
        size: number of members.
    """
    weights = np.full(len(columns), 1 / len(columns))
    product = weights @ columns
    bound = -np.inf
    for step in range(300):
        value, gradient = tangent(weights, product)
        steepest = np.argpartition(gradient, size - 1)[:size]
        bound = max(bound, float(value + gradient[steepest].mean() - gradient @ weights))
        stride = 2 / (step + 2)
        weights *= 1 - stride
        weights[steepest] += stride / size
        product += stride * (columns[steepest].mean(axis=0) - product)
    return bound


def _search_gram(matrix: Matrix, size: int) -> Search:
    rng = np.random.default_rng(0)
    starts = [greedy(matrix, size), *(rng.permutation(len(matrix))[:size].tolist() for _ in range(STARTS))]
    ends = [improve(matrix, start) for start in starts]
    best = min(ends, key=lambda rows: float(matrix[rows][:, rows].sum()))
    yield from prove(matrix, best) if size > 1 else [(1.0, best)]


WIDTH = 128
"""Examples in a block, after each of which a pair may be left."""

LANES = 8
"""Logarithms a block, of products of WIDTH / LANES sums of 16 bits: far below what a float64 holds."""

TILE = 24
"""Members whose first blocks stay in cache while they meet as many others."""


@dataclass(frozen=True)
class _Losses:
    """What the losses of ensembles of one size are computed from.

    Attributes:
        blocks: uint16 [members, blocks, classes, WIDTH], units, hardest examples first. Of all classes, the true one
            first, the loss is how many examples are wrong; of the true one only, the log loss.
        bias: uint16 [blocks, classes, WIDTH], added to the sums over members.
        whole: what the units of a sure ensemble sum to.
    """

    blocks: Units
    bias: Units
    whole: int

    def base(self, rows: list[int]) -> Units:
        """An ensemble that waits for one more member."""
        return np.asarray(self.blocks[rows].sum(axis=0, dtype=np.uint16) + self.bias)

    def least(self, bases: Units, allowed: npt.NDArray[np.bool_], limit: float) -> tuple[float, int, int]:
        """(loss, base, row) of the best base with one more row, their loss below `limit`; row −1 if none is.

        `allowed` says which rows: [bases, the last so many members].
        """
        start = len(self.blocks) - allowed.shape[1]
        losses, found_bases, rows = _scan(bases, self.blocks[start:], allowed, limit, self.whole)
        tile = losses.argmin()
        row = int(rows[tile])
        return float(losses[tile]), int(found_bases[tile]), start + row if row >= 0 else row


def _search(losses: _Losses, size: int) -> Search:
    return _all_pairs(losses) if size == 2 else _descents(losses, size)


def _all_pairs(losses: _Losses) -> Search:
    members = np.arange(len(losses.blocks))
    least, best = _descend(losses, 2, first=0)
    for start in range(0, len(members), TILE):
        yield start / len(members), best
        firsts, seconds = members[start : start + TILE], members[start:]
        bases = losses.blocks[firsts] + losses.bias
        loss, base, row = losses.least(bases, seconds > firsts[:, None], least)
        if row >= 0:
            least, best = loss, [start + base, row]
    yield 1.0, best


def _descents(losses: _Losses, size: int) -> Search:
    firsts = np.random.default_rng(0).permutation(len(losses.blocks))[:STARTS]
    best: tuple[float, list[int]] | None = None
    for done, first in enumerate(firsts.tolist(), 1):
        found = _descend(losses, size, first)
        best = min(best or found, found)
        yield done / len(firsts), best[1]


def _descend(losses: _Losses, size: int, first: int) -> tuple[float, list[int]]:
    """Loss and rows of an ensemble that no swap of a member improves: forward selection from `first`, then swaps."""
    rows, least = [first], np.inf  # of one member the loss is not known: it is swapped for the best other first
    outside = np.ones((1, len(losses.blocks)), np.bool_)
    outside[0, first] = False
    while len(rows) < size:
        least, _, row = losses.least(losses.base(rows)[None], outside, np.inf)
        rows.append(row)
        outside[0, row] = False
    while True:
        bases = np.stack([losses.base(rows[:out] + rows[out + 1 :]) for out in range(size)])
        loss, out, row = losses.least(bases, outside.repeat(size, axis=0), least)
        if row < 0:
            return least, rows
        outside[0, [rows[out], row]] = True, False
        least, rows[out] = loss, row


def _in_blocks(units: Units, order: npt.NDArray[np.intp]) -> Units:
    """[members, classes, examples] to [members, blocks, classes, WIDTH], examples in this order, then zeros."""
    members, classes, examples = units.shape
    blocks = np.zeros((members, -(-examples // WIDTH), classes, WIDTH), np.uint16)
    for block in range(blocks.shape[1]):
        chosen = order[block * WIDTH : (block + 1) * WIDTH]
        blocks[:, block, :, : len(chosen)] = units[:, :, chosen]
    return blocks


def _hardest_first(predictions: QuantisedPredictions) -> npt.NDArray[np.intp]:
    return np.argsort(predictions.units[:, 0].mean(axis=0))


def _errors(predictions: QuantisedPredictions, size: int) -> _Losses:
    order = _hardest_first(predictions)
    # The first of the largest classes wins. Those before the true class stand at 1 to label: one unit more lets them
    # win a tie, and no others.
    position = np.arange(predictions.units.shape[1])[:, None]
    wins_ties = (position >= 1) & (position <= predictions.labels)
    bias = _in_blocks(wins_ties[None].astype(np.uint16), order)[0]
    return _Losses(_in_blocks(predictions.units, order), bias, size * TOTAL)


def _log_losses(predictions: QuantisedPredictions, size: int) -> _Losses:
    order = _hardest_first(predictions)
    whole = np.full((1, 1, len(order)), size * TOTAL, np.uint16)
    sure_where_no_example_is = size * TOTAL - _in_blocks(whole, order)[0]
    return _Losses(_in_blocks(predictions.units[:, :1], order), sure_where_no_example_is, size * TOTAL)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _count_errors(base: Units, row: Units, rivals: Units) -> int:
    """How often a class after the first has the largest sum."""
    rivals[:] = 0
    for c in range(1, len(base)):
        for i in range(WIDTH):
            rivals[i] = max(rivals[i], np.uint16(base[c, i] + row[c, i]))
    errors = 0
    for i in range(WIDTH):
        errors += rivals[i] > np.uint16(base[0, i] + row[0, i])
    return errors


@njit(cache=True)  # type: ignore[untyped-decorator]
def _sum_logs(base: Units, row: Units, products: Floats) -> float:
    """Σ ln of the sums of the first class."""
    products[:] = 1
    for start in range(0, WIDTH, LANES):
        for lane in range(LANES):
            products[lane] *= np.uint16(base[0, start + lane] + row[0, start + lane])
    logs = 0.0
    for lane in range(LANES):
        logs += np.log(products[lane])
    return logs


@njit(cache=True, parallel=True)  # type: ignore[untyped-decorator]
def _scan(
    bases: Units, blocks: Units, allowed: npt.NDArray[np.bool_], limit: float, whole: int
) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`_Losses.least` of each TILE of `blocks`, on all processors."""
    members = len(blocks)
    tiles = -(-members // TILE)
    sure = WIDTH * np.log(whole)
    losses, found_bases, rows = np.full(tiles, limit), np.full(tiles, -1), np.full(tiles, -1)
    for tile in prange(tiles):
        rivals, products = np.empty(WIDTH, np.uint16), np.empty(LANES)
        for base in range(len(bases)):
            for row in range(tile * TILE, min((tile + 1) * TILE, members)):
                if allowed[base, row]:
                    loss = 0.0
                    for block in range(blocks.shape[1]):
                        if blocks.shape[2] > 1:
                            loss += _count_errors(bases[base, block], blocks[row, block], rivals)
                        else:
                            loss += sure - _sum_logs(bases[base, block], blocks[row, block], products)
                        if loss >= losses[tile]:
                            break
                    else:
                        losses[tile], found_bases[tile], rows[tile] = loss, base, row
    return losses, found_bases, rows
