"""What each method reaches with each size and budget, metric by metric.

The mean over repetitions with its 95 % bootstrap interval: the CSV has its ends, in the units of the records; the
others half its width after a ±.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ness_bench.reports.ensembles.grouped import Cell, Group, Grouped, Head
from ness_bench.reports.text import number
from ness_bench.studies.comparisons import tied_with_best
from ness_bench.studies.metrics import Metric
from ness_bench.studies.statistics import summarise

NOTE = (
    "± is half the width of the interval. Bold is the best mean of a size and budget, and every mean level with it: "
    "the 95 % interval of the difference, paired by repetition, includes 0 (Student's t). Underlined is the next best, "
    "and what is level with that."
)

WITH_SPREAD = ("accuracy", "nll")
"""Metrics whose interval a terminal shows."""

LESS_WANTED = ("brier", "disagreement", "distinct")
"""Metrics that a terminal leaves out."""


def frame(records: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """One row a (size, budget, method), the mean, low and high of each metric in columns beside each other.

    Raises:
        NessBenchError: the records are incomplete.
    """
    summary = summarise(records, [metric.name for metric in metrics])
    rows = [
        {"size": size, "budget": budget, "method": method, "repetitions": cell["repetitions"].iloc[0]}
        | {f"{row.metric}_{end}": getattr(row, end) for row in cell.itertuples() for end in ("mean", "low", "high")}
        for (size, budget), block in summary.groupby(["size", "budget"])
        for method, cell in block.groupby("method", sort=False, observed=True)
    ]
    return pd.DataFrame(rows)


def table(means: pd.DataFrame, records: pd.DataFrame, metrics: Sequence[Metric]) -> Grouped:
    """A group a size and budget, a row a method, a column a metric.

    Args:
        means: see `frame`.
        records: one row a run.
        metrics: of the records.
    """
    groups = []
    for _, block in means.groupby(["size", "budget"]):
        size, budget = int(block["size"].iloc[0]), float(block["budget"].iloc[0])
        runs = records[(records["size"] == size) & (records["budget"] == budget)]
        ranks = {metric.name: tied_with_best(runs, metric) for metric in metrics}
        rows = [
            (row["method"], [_cell(row, metric, ranks[metric.name][row["method"]]) for metric in metrics])
            for row in block.to_dict("records")
        ]
        keys = {"Size": Cell(f"{size}", value=size), "Budget (TE)": Cell(f"{budget:g}", value=budget)}
        groups.append(Group(f"Ensemble size {size}", f"Budget {budget:g} TE", keys, rows))
    return Grouped("comparison", "Methods at identical budgets", NOTE, "Method", [*map(_head, metrics)], groups)


def _head(metric: Metric) -> Head:
    on_terminal = metric.name not in LESS_WANTED and (metric.name in WITH_SPREAD or "brief")
    return Head(f"{metric.title} {metric.better}".strip(), metric.unit, on_terminal)


def _cell(row: Mapping[Any, Any], metric: Metric, rank: int) -> Cell:
    mean, low, high = (metric.scale * row[f"{metric.name}_{end}"] for end in ("mean", "low", "high"))
    return Cell(number(mean, metric.digits), f"± {number((high - low) / 2, metric.digits)}", mean, rank)
