"""From the records of single runs to means with bootstrap intervals, over complete grids only."""

from collections.abc import Sequence

import pandas as pd

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.statistics.student import Difference, mean_difference

AXES = ["method", "size", "budget", "seed"]
"""Columns of a records frame that tell runs apart: the method's name, the ensemble size, the budget in TE, the
seed of the repetition."""

CELL = AXES[:-1]
"""The axes that one mean belongs to."""


def paired_difference(runs: pd.DataFrame, others: pd.DataFrame, metric: str) -> Difference:
    """A metric of some runs minus that of others, each pair of one seed: what their common draws add cancels out.

    Args:
        runs, others: a row a run, with the columns seed and `metric`.

    Raises:
        NessBenchError: their seeds are not the same, or one stands twice.
    """
    values, subtracted = (frame.set_index("seed")[metric].sort_index() for frame in (runs, others))
    if not (values.index.is_unique and values.index.equals(subtracted.index)):
        raise NessBenchError(
            f"runs of the seeds {sorted(values.index)} and of {sorted(subtracted.index)} do not make pairs; "
            "give one run a seed on both sides"
        )
    return mean_difference(values - subtracted)


def summarise(records: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % bootstrap interval of each metric for each method, size and budget.

    Args:
        records: one row a run, with the columns `AXES` and `metrics`.
        metrics: columns to average over the seeds.

    Returns:
        One row a (method, size, budget, metric) with the columns mean, low, high and repetitions: methods in the
        order in which the records first name them, sizes and budgets ascending, metrics as given.

    Raises:
        NessBenchError: a run of the grid is missing, appears twice or lacks one of the metrics.
    """
    refuse_incomplete(records, metrics)
    ordered = records.assign(method=pd.Categorical(records["method"], categories=records["method"].unique()))
    rows = [
        (*cell, metric, runs[metric].mean(), *bootstrap_interval(runs[metric]), len(runs))
        for cell, runs in ordered.groupby(CELL, observed=True)
        for metric in metrics
    ]
    return pd.DataFrame(rows, columns=[*CELL, "metric", "mean", "low", "high", "repetitions"])


def refuse_incomplete(records: pd.DataFrame, metrics: Sequence[str]) -> None:
    """Hold the records against the product of the methods, sizes, budgets and seeds that they name.

    Args:
        records: one row a run, with the columns `AXES`.
        metrics: columns that every run must have a value in.

    Raises:
        NessBenchError: a run of the grid is missing, appears twice or lacks one of the metrics; it names them.
    """
    absent = [column for column in [*AXES, *metrics] if column not in records]
    if absent:
        raise NessBenchError(
            f"the records lack the columns {', '.join(absent)}; they have {', '.join(map(str, records.columns))}"
        )
    grid = pd.MultiIndex.from_product([records[axis].unique() for axis in AXES], names=AXES)
    runs = pd.MultiIndex.from_frame(records[AXES])
    unscored = records[list(metrics)].isna().any(axis=1).to_numpy()
    faults = {
        "missing": grid.difference(runs, sort=False),
        "repeated": runs[runs.duplicated()],
        "unscored": runs[unscored],
    }
    for fault, which in faults.items():
        if len(which):
            named = [", ".join(f"{axis} {value}" for axis, value in zip(AXES, run, strict=True)) for run in which[:10]]
            more = f"\n  and {len(which) - 10} more" if len(which) > 10 else ""
            raise NessBenchError(
                f"{fault} runs: {len(which)} in a grid of {len(grid)}, so nothing is averaged; run each once, or "
                "leave out its method, size, budget or seed:\n  " + "\n  ".join(named) + more
            )
