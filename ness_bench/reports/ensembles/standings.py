"""How methods stand over all sizes and budgets: by mean rank, by area under the budget curve, one against the other."""

from collections.abc import Mapping
from string import ascii_letters
from typing import Any

import pandas as pd

from ness_bench.reports.ensembles.grouped import Cell, Group, Grouped, Head
from ness_bench.reports.text import number, probability
from ness_bench.studies.comparisons import Ranks
from ness_bench.studies.metrics import Metric


def rank_frame(found: Ranks) -> pd.DataFrame:
    """A row a method; what the tests say of all methods stands in every row."""
    return pd.DataFrame(
        {
            "method": found.methods,
            "mean_rank": found.mean_ranks,
            "groups": letters(found),
            "blocks": found.blocks,
            "statistic": found.statistic,
            "p": found.p,
            "critical_difference": found.critical_difference,
        }
    )


def letters(found: Ranks) -> list[str]:
    """Of each method, a letter for every group of methods that do not differ which it is in."""
    return [
        "".join(letter for letter, group in zip(ascii_letters, found.groups, strict=False) if method in group)
        for method in found.methods
    ]


def rank_table(found: Ranks, metric: Metric) -> Grouped:
    """Mean ranks, and which methods do not differ."""
    rows = [
        (method, [Cell(f"{rank:.2f}", value=float(rank)), Cell(of_method or "–", value=of_method)])
        for method, rank, of_method in zip(found.methods, found.mean_ranks, letters(found), strict=True)
    ]
    tested = (
        f"Friedman's test in the form of Iman and Davenport: F = {found.statistic:.2f}, p "
        f"{_equals(probability(found.p))}. "
        if found.blocks > 1
        else ""
    )
    note = (
        f"Mean ranks by {metric.title}, 1 is best: methods are ranked in each size and budget of a repetition, then by "
        f"the sum of these ranks; blocks are the {found.blocks} repetition{'s' if found.blocks > 1 else ''}. {tested}"
        "Methods that share a letter do not differ by Nemenyi's critical difference at 5 %, which is "
        f"{found.critical_difference:.2f}."
    )
    heads = [Head("Mean rank ↓"), Head("Level with")]
    return Grouped("ranks", "Ranks", note, "Method", heads, [Group("", "", {}, rows)])


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def win_table(rates: pd.DataFrame, metric: Metric) -> Grouped:
    """The matrix of `comparisons.win_rates` in per cent; columns are numbered as rows are."""
    percent = 100 * rates
    rows = [
        (
            f"{place} {method}",
            [
                Cell("–") if place == against else Cell(f"{rate:.0f}", value=float(rate))
                for against, rate in enumerate(of_method, start=1)
            ],
        )
        for place, (method, of_method) in enumerate(zip(percent.index, percent.to_numpy(), strict=True), start=1)
    ]
    note = (
        "Share of sizes, budgets and repetitions, in per cent, in which the method of a row has the better "
        f"{metric.title} than that of a column; ties count half."
    )
    heads = [Head(f"{place}", on_terminal=False) for place in range(1, len(percent) + 1)]
    return Grouped("win-rates", "Win rates", note, "Method", heads, [Group("", "", {}, rows)])


def area_table(areas: pd.DataFrame, metric: Metric) -> Grouped:
    """A row a method, a column a size and one that averages all.

    Args:
        areas: see `comparisons.budget_area`.
        metric: that they are of.
    """
    sizes = areas.loc[~areas["pooled"], "size"].drop_duplicates().tolist()
    rows = []
    for method, of_method in areas.groupby("method", sort=False):
        shown = of_method if len(sizes) > 1 else of_method[~of_method["pooled"]]
        rows.append((str(method), [_area(row, metric) for row in shown.to_dict("records")]))
    better = metric.better
    heads = [Head(f"Size {size} {better}", metric.unit) for size in sizes]
    heads += [Head(f"All {better}", metric.unit)] if len(sizes) > 1 else []
    note = (
        f"The mean of the curve of {metric.title} over the logarithm of the budget, which is its area over the width "
        "of that axis; ± is half the width of the interval."
    )
    return Grouped("areas", "Area under the budget curve", note, "Method", heads, [Group("", "", {}, rows)])


def _area(row: Mapping[Any, Any], metric: Metric) -> Cell:
    mean, half_width = metric.scale * row["mean"], metric.scale * (row["high"] - row["low"]) / 2
    return Cell(number(mean, metric.digits), f"± {number(half_width, metric.digits)}", mean)
