"""Which methods do better than others: from the records of single runs to differences, ranks, win rates and profiles.

All runs of a seed start from the same random state, so that those of one method at several budgets hold much the
same networks, and errors of one seed come again in every cell. So the repetition, with all that was run in it, is the
independent unit here: pairs are subtracted seed by seed, and whole seeds are resampled. Intervals of NLL and accuracy
against `ness-svgd-rd` on the plan `quick` would be too narrow by factors from 1.4 to 2.4 if they took its cells for
independent, as the stratified bootstrap does.

Records are complete grids of the columns `studies.statistics.AXES`; a cell is a (size, budget). A `Metric` says
whether higher or lower is better; differences keep its sign and its units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ness_bench.errors import NessBenchError, nearest
from ness_bench.statistics.bootstrap import bootstrap_interval, stratified_interval
from ness_bench.statistics.budget_area import area_under_budget
from ness_bench.statistics.friedman import friedman
from ness_bench.statistics.holm import holm
from ness_bench.statistics.improvement import improvement_interval, probability_of_improvement
from ness_bench.statistics.interquartile_mean import pooled_interquartile_mean
from ness_bench.statistics.nemenyi import cliques, critical_difference
from ness_bench.statistics.performance_profile import performance_profile, profile_band
from ness_bench.statistics.ranks import average_ranks
from ness_bench.statistics.signed_rank import signed_rank
from ness_bench.statistics.student import mean_difference
from ness_bench.statistics.win_rates import win_rates as rates_of_wins
from ness_bench.studies.metrics import Metric
from ness_bench.studies.statistics import AXES, refuse_incomplete

Floats = npt.NDArray[np.float64]

POOLED = "all"
"""What the column `cell` says of rows that take all cells together."""


@dataclass(frozen=True)
class _Grid:
    """A metric of all runs.

    Attributes:
        methods: in the order of the records.
        sizes, budgets: ascending.
        values: float [methods, sizes, budgets, seeds].
        sign: what makes losses of the values.
    """

    methods: list[str]
    sizes: list[int]
    budgets: list[float]
    values: Floats
    sign: int

    @property
    def losses(self) -> Floats:
        """The lower the better, float [methods, cells, seeds], cells in the order of `cells`."""
        return self.sign * self.values.reshape(len(self.methods), -1, self.values.shape[-1])

    @property
    def cells(self) -> list[tuple[int, float]]:
        return [(size, budget) for size in self.sizes for budget in self.budgets]


def _grid(records: pd.DataFrame, metric: Metric, *, merit: bool = True) -> _Grid:
    """Raises NessBenchError: an incomplete grid, no runs, or a metric without merit where merit is asked for."""
    if merit and not metric.better:
        raise NessBenchError(
            f'methods cannot be compared by the metric "{metric.name}", of which neither more nor less is better; '
            "compare them by one such as nll or accuracy"
        )
    refuse_incomplete(records, [metric.name])
    if records.empty:
        raise NessBenchError("there are no runs to compare; run the study first")
    axes = [records[axis].unique().tolist() for axis in AXES]
    axes[1:] = [sorted(values) for values in axes[1:]]
    ordered = records.set_index(AXES)[metric.name].reindex(pd.MultiIndex.from_product(axes, names=AXES))
    values = ordered.to_numpy(np.float64).reshape([len(axis) for axis in axes])
    methods, sizes, budgets, _ = axes
    return _Grid(methods, sizes, budgets, values, -1 if metric.better == "↑" else 1)


def against(records: pd.DataFrame, metric: Metric, reference: str) -> pd.DataFrame:
    """Every other method held against one, in each cell and in all cells together.

    Args:
        records: one row a run.
        metric: of the records, higher or lower is better.
        reference: a method of the records.

    Returns:
        One row a (method, size, budget), methods in the order of the records, and after those of a method one that
        pools its cells, with the columns

        - method; size and budget, missing in pooled rows; cell, such as "size 3, budget 40" or `POOLED`; pooled;
        - mean, low, high: of the metric minus the reference's, paired by seed, with 95 % by Student's t; pooled, of
          each seed's mean over the cells;
        - iqm, iqm_low, iqm_high: interquartile mean of the differences, pooled over cells and seeds, with 95 % by the
          bootstrap over seeds;
        - improvement, improvement_low, improvement_high: probability that a run of the method does better than a run of
          the reference, of any seeds, and pooled its mean over cells, with 95 % by the bootstrap over seeds. Where all
          do better, the bootstrap knows no doubt: its interval is [1, 1];
        - p of Wilcoxon's signed-rank test of the differences; pooled, of each seed's mean over the cells;
        - p_holm, that p adjusted for the methods in the same cell;
        - pairs: the number of seeds.

    Raises:
        NessBenchError: an unknown reference, an incomplete grid, or a metric without a better.
    """
    grid = _grid(records, metric)
    if reference not in grid.methods:
        raise NessBenchError(
            f'the reference "{reference}" is none of the methods{nearest(reference, grid.methods)}; '
            f"there are: {', '.join(grid.methods)}"
        )
    losses = dict(zip(grid.methods, grid.losses, strict=True))
    of_reference = losses.pop(reference)
    rows: list[dict[str, Any]] = []
    for method, of_method in losses.items():
        for cells, named in _cells_and_all(grid):
            compared = _compared(of_method[cells], of_reference[cells], grid.sign)
            rows.append({"method": method, **named, **compared})
    columns = ["method", *_NAMED, *_COMPARED]
    frame = pd.DataFrame(rows, columns=columns).astype({"size": "Int64", "budget": np.float64})
    frame.insert(columns.index("p") + 1, "p_holm", frame.groupby("cell")["p"].transform(lambda p: holm(p)))
    return frame


_NAMED = ("size", "budget", "cell", "pooled")
_COMPARED = (
    *("mean", "low", "high", "iqm", "iqm_low", "iqm_high"),
    *("improvement", "improvement_low", "improvement_high", "p", "pairs"),
)


def _cells_and_all(grid: _Grid) -> Iterator[tuple[slice, dict[str, Any]]]:
    """Each cell and all of them: where they stand among the losses, and what they are called."""
    for place, (size, budget) in enumerate(grid.cells):
        cell = f"size {size}, budget {budget:g}"
        yield slice(place, place + 1), {"size": size, "budget": budget, "cell": cell, "pooled": False}
    yield slice(None), {"size": None, "budget": None, "cell": POOLED, "pooled": True}


def _compared(losses: Floats, others: Floats, sign: int) -> dict[str, float]:
    """What `against` says of the losses of two methods, [cells, seeds], whose sign is that of the metric or not."""
    differences = sign * losses - sign * others
    of_seeds = differences.mean(0)
    difference = mean_difference(of_seeds)
    numbers = (
        *(difference.mean, difference.low, difference.high),
        float(pooled_interquartile_mean(differences)),
        *stratified_interval(differences, pooled_interquartile_mean, jointly=True),
        probability_of_improvement(losses, others),
        *improvement_interval(losses, others, jointly=True),
        signed_rank(of_seeds).p,
        len(of_seeds),
    )
    return dict(zip(_COMPARED, numbers, strict=True))


@dataclass(frozen=True)
class Ranks:
    """How methods rank; see `ranks`.

    Attributes:
        methods: in the order of the records.
        mean_ranks: float [methods], 1 is best.
        blocks: number of independent blocks, the seeds.
        statistic, p: of Friedman's test in the form of Iman & Davenport; NaN of a single block.
        critical_difference: from which on two mean ranks differ at 5 % (Nemenyi).
        groups: the largest groups of methods that do not differ, each from its best to its worst; none lies within
            another, and a method that differs from all others is in none.
    """

    methods: list[str]
    mean_ranks: Floats
    blocks: int
    statistic: float
    p: float
    critical_difference: float
    groups: list[tuple[str, ...]]


def ranks(records: pd.DataFrame, metric: Metric) -> Ranks:
    """Mean ranks over seeds, with the tests of Friedman and Nemenyi (Demšar, JMLR 2006).

    Both tests ask for independent blocks. The cells of one seed are not, so to count every (size, budget, seed) would
    claim more evidence than there is, and find differences that are none. A block is a seed here: methods are ranked
    in each of its cells, and then by the sum of these ranks. With one cell that is the plain ranking of its runs.

    What is tested is whether methods differ on this bank or table with other seeds. Sizes and budgets are those of
    the plan, and no sample of others.

    Args:
        records: one row a run.
        metric: of the records, higher or lower is better.

    Raises:
        NessBenchError: fewer than two methods, an incomplete grid, or a metric without a better.
    """
    grid = _grid(records, metric)
    if len(grid.methods) < 2:
        raise NessBenchError(f"ranks need two methods or more, but all runs are of {grid.methods[0]}")
    by_cell = average_ranks(grid.losses.transpose(2, 1, 0))
    tested = friedman(by_cell.sum(1))  # sums of halves are exact, so that ties are ties
    blocks = len(by_cell)
    difference = critical_difference(len(grid.methods), blocks)
    groups = [tuple(grid.methods[i] for i in group) for group in cliques(tested.mean_ranks, difference)]
    return Ranks(grid.methods, tested.mean_ranks, blocks, tested.f, tested.f_p, difference, groups)


def win_rates(records: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The share of (size, budget, seed) in which the row's method does better than the column's, ties half.

    Args:
        records: one row a run.
        metric: of the records, higher or lower is better.

    Returns:
        Float [methods × methods], ½ on the diagonal; both axes are the methods in the order of the records.

    Raises:
        NessBenchError: fewer than two methods, an incomplete grid, or a metric without a better.
    """
    grid = _grid(records, metric)
    methods = pd.Index(grid.methods, name="method")
    blocks = grid.losses.reshape(len(methods), -1).T
    return pd.DataFrame(rates_of_wins(blocks), index=methods, columns=methods.rename("other"))


def profiles(records: pd.DataFrame, metric: Metric, thresholds: Sequence[float] | Floats) -> pd.DataFrame:
    """The share of each method's runs, of all cells, that are at least as good as a threshold.

    Args:
        records: one row a run.
        metric: of the records, higher or lower is better.
        thresholds: in the metric's units as it stands in the records.

    Returns:
        One row a (method, threshold), methods in the order of the records and thresholds as given, with the columns
        method, threshold, share, low and high: a pointwise 95 % band by the bootstrap over seeds.

    Raises:
        NessBenchError: an incomplete grid, or a metric without a better.
    """
    grid = _grid(records, metric)
    at = np.asarray(thresholds, dtype=np.float64)
    of_methods = []
    for method, losses in zip(grid.methods, grid.losses, strict=True):
        share = performance_profile(losses, grid.sign * at)
        low, high = profile_band(losses, grid.sign * at, jointly=True)
        band = {"share": share, "low": low, "high": high}
        of_methods.append(pd.DataFrame({"method": method, "threshold": at, **band}))
    return pd.concat(of_methods, ignore_index=True)


def budget_area(records: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The mean of each method's curve over the logarithm of the budget, in the metric's units.

    Args:
        records: one row a run.
        metric: of the records, of merit or not.

    Returns:
        One row a (method, size), methods in the order of the records, and after those of a method one that averages
        each seed's areas over the sizes, with the columns method, size, which is missing in pooled rows, pooled, mean,
        low and high: 95 % by the bootstrap over seeds.

    Raises:
        NessBenchError: an incomplete grid, or a budget that is not above 0.
    """
    grid = _grid(records, metric, merit=False)
    rows: list[tuple[Any, ...]] = []
    for method, curves in zip(grid.methods, grid.values, strict=True):
        areas = area_under_budget(grid.budgets, curves.swapaxes(-1, -2))  # [sizes, seeds]
        for size, of_seeds in zip([*grid.sizes, None], [*areas, areas.mean(0)], strict=True):
            rows.append((method, size, size is None, of_seeds.mean(), *map(float, bootstrap_interval(of_seeds))))
    frame = pd.DataFrame(rows, columns=["method", "size", "pooled", "mean", "low", "high"])
    return frame.astype({"size": "Int64"})


def tied_with_best(runs: pd.DataFrame, metric: Metric) -> dict[str, int]:
    """Which methods of one cell are best or level with the best, and which come next.

    Two methods are level if the 95 % interval of their mean difference, paired by seed, includes 0; with a single seed
    all are.

    Args:
        runs: one row a run of one size and budget, with the columns method, seed and the metric's.
        metric: of the runs; of one of which neither more nor less is better, no method is best.

    Returns:
        By method, in the order of the runs: 1 for the best mean and what is level with it, 2 for the best of the rest
        and what of the rest is level with that, 0 for the others.

    Raises:
        NessBenchError: not every method has one run a seed.
    """
    one_cell = runs.assign(**{axis: 0 for axis in AXES[1:-1] if axis not in runs})
    grid = _grid(one_cell, metric, merit=False)
    if len(grid.cells) > 1:
        raise NessBenchError(f"ties are of one size and budget, but the runs are of {len(grid.cells)}; give one cell")
    places = dict.fromkeys(grid.methods, 0)
    if not metric.better:
        return places
    rest = dict(zip(grid.methods, grid.losses[:, 0], strict=True))
    for place in (1, 2):
        if rest:
            best = min(rest.values(), key=lambda losses: float(losses.mean()))
            level = [method for method, losses in rest.items() if not mean_difference(losses - best).clear]
            for method in level:
                places[method] = place
                del rest[method]
    return places
