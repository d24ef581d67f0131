"""Every method held against one: how much better or worse, how probably, how surely."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ness_bench.reports.ensembles.grouped import Cell, Group, Grouped, Head
from ness_bench.reports.text import ends, number, probability
from ness_bench.studies.comparisons import against
from ness_bench.studies.metrics import Metric

POOLED = "All sizes and budgets"


def frame(records: pd.DataFrame, metrics: Sequence[Metric], reference: str) -> pd.DataFrame:
    """What `comparisons.against` finds, of each metric of which more or less is better.

    Differences of regret are left out: they are those of NLL.

    Raises:
        NessBenchError: the records are incomplete, or have no such reference.
    """
    compared = [metric for metric in metrics if metric.better and metric.name != "regret"]
    found = [against(records, metric, reference).assign(metric=metric.name) for metric in compared]
    frame = pd.concat(found, ignore_index=True)
    return frame[["metric", *frame.columns.drop("metric")]]


def table(differences: pd.DataFrame, metric: Metric, reference: str) -> Grouped:
    """All cells together first, then each: a row a method but the reference.

    Args:
        differences: see `frame`.
        metric: the one that is shown.
        reference: a method.
    """
    of_metric = differences[differences["metric"] == metric.name]
    groups = []
    cells = [rows for _, rows in of_metric.groupby("cell", sort=False)]
    for rows in sorted(cells, key=lambda rows: not rows["pooled"].iloc[0]):
        first = rows.iloc[0]
        shown = [(row["method"], _cells(row, metric)) for row in rows.to_dict("records")]
        if first["pooled"]:
            keys = {"Size": Cell("all"), "Budget (TE)": Cell("all")}
            groups.append(Group(POOLED, "", keys, shown))
        else:
            size, budget = int(first["size"]), float(first["budget"])
            keys = {"Size": Cell(f"{size}", value=size), "Budget (TE)": Cell(f"{budget:g}", value=budget)}
            groups.append(Group(f"Ensemble size {size}", f"Budget {budget:g} TE", keys, shown))
    unit = metric.unit
    heads = [
        Head(f"Difference of {metric.title}", unit),
        Head("IQM", unit, on_terminal=False),
        Head("P(better)", "%"),
        Head("p", on_terminal=False),
        Head("Holm's p"),
    ]
    return Grouped("differences", f"Differences to {reference}", _note(metric, reference), "Method", heads, groups)


def _note(metric: Metric, reference: str) -> str:
    better = {"↑": "above", "↓": "below"}[metric.better]
    return (
        f"{metric.title} minus that of {reference}, paired by repetition: a difference {better} 0 is better. In "
        "brackets 95 % intervals: of the mean by Student's t, of the interquartile mean (IQM) and of the probability "
        f"that a run does better than one of {reference} by the bootstrap over repetitions. p is Wilcoxon's "
        "signed-rank test, Holm's p the same adjusted for how many methods are tested in a cell."
    )


def _cells(row: Mapping[Any, Any], metric: Metric) -> list[Cell]:
    digits = metric.digits + 1
    return [
        _number(row, ("mean", "low", "high"), metric.scale, digits, signed=True),
        _number(row, ("iqm", "iqm_low", "iqm_high"), metric.scale, digits, signed=True),
        _number(row, ("improvement", "improvement_low", "improvement_high"), 100, 0, signed=False),
        *(Cell(probability(p), value=p) for p in (row["p"], row["p_holm"])),
    ]


def _number(row: Mapping[Any, Any], columns: tuple[str, str, str], scale: int, digits: int, *, signed: bool) -> Cell:
    value, low, high = (scale * row[column] for column in columns)
    return Cell(number(value, digits, signed=signed), ends(low, high, digits, signed=signed), value)
