"""The figures of a study of ensembles: what methods reach, how much members differ, what is spent on what."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ness_bench.reports.ensembles.captions import Context, protocol
from ness_bench.reports.style import STYLE, TEXT_WIDTH, bars, legend, looks, outlier_limit, save_figures
from ness_bench.studies.statistics import summarise
from ness_bench.tasks.budget import PURPOSES

HATCHES = dict(zip(PURPOSES, ("", "/////", "....."), strict=True))


@mpl.rc_context(STYLE)
def nll_vs_budget(records: pd.DataFrame) -> Figure:
    """Mean test NLL over the budget, a panel a size; methods are shifted sideways so that bars do not overlap."""
    summary = summarise(records, ["nll"])
    budgets = sorted(records["budget"].unique())
    styles = looks(records["method"].unique())
    gap = np.diff(np.log(budgets)).min(initial=np.log(2))
    shifts = np.exp(gap * np.linspace(-0.15, 0.15, len(styles)))
    figure, panels = _panels(records)
    for axes, (_, of_size) in zip(panels, summary.groupby("size"), strict=True):
        for (method, look), shift in zip(styles.items(), shifts, strict=True):
            line = of_size[of_size["method"] == method]
            axes.errorbar(
                line["budget"] * shift, line["mean"], bars(line), ls=look.line_style, elinewidth=0.7, **look.marks
            )
        axes.set_xscale("log")
        axes.set_xlim(budgets[0] * np.exp(-gap / 3), budgets[-1] * np.exp(gap / 3))
        axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        axes.minorticks_off()
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("Budget (TE)")
    panels[0].set_ylabel("Test NLL")
    _crop(panels, summary, better=-1)
    legend(figure, styles, lines=True)
    return figure


@mpl.rc_context(STYLE)
def accuracy_vs_diversity(records: pd.DataFrame) -> Figure:
    """Test accuracy over disagreement at the largest budget, a panel a size: single runs in pale, means with bars."""
    dearest = records[records["budget"] == records["budget"].max()]
    percent = dearest.assign(accuracy=100 * dearest["accuracy"], disagreement=100 * dearest["disagreement"])
    accuracies, disagreements = summarise(percent, ["accuracy"]), summarise(percent, ["disagreement"])
    styles = looks(records["method"].unique())
    figure, panels = _panels(records)
    for axes, (size, runs) in zip(panels, percent.groupby("size"), strict=True):
        for method, look in styles.items():
            of_method = runs[runs["method"] == method]
            axes.scatter(
                of_method["disagreement"],
                of_method["accuracy"],
                s=8,
                color=look.colour,
                marker=look.marker,
                alpha=0.25,
                linewidths=0,
            )
        for method, look in styles.items():
            x, y = (
                means[(means["size"] == size) & (means["method"] == method)] for means in (disagreements, accuracies)
            )
            axes.errorbar(x["mean"], y["mean"], bars(y), bars(x), ls="", elinewidth=0.7, **look.marks)
        axes.set_xlabel("Disagreement (%)")
    panels[0].set_ylabel("Test accuracy (%)")
    _crop(panels, accuracies, better=1)
    legend(figure, styles, lines=False)
    return figure


@mpl.rc_context(STYLE)
def cost_breakdown(records: pd.DataFrame) -> Figure:
    """Mean TE spent by purpose, a row of panels a size and a column a budget; a dashed line marks the budget."""
    summary = summarise(records, [f"cost_{purpose}" for purpose in PURPOSES])
    methods = list(records["method"].unique())
    sizes, budgets = (sorted(records[axis].unique()) for axis in ("size", "budget"))
    fills = dict(zip(PURPOSES, sns.color_palette("Blues", len(PURPOSES) + 1)[1:], strict=True))
    height = 0.8 + len(sizes) * (0.2 + 0.14 * len(methods))
    figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
    grid = figure.subplots(len(sizes), len(budgets), sharex="col", sharey=True, squeeze=False)
    for axes, (size, budget) in zip(grid.flat, product(sizes, budgets), strict=True):
        block = summary[(summary["size"] == size) & (summary["budget"] == budget)]
        left = np.zeros(len(methods))
        for purpose, hatch in HATCHES.items():
            spent = block[block["metric"] == f"cost_{purpose}"]["mean"].to_numpy()
            axes.barh(methods, spent, 0.7, left, color=fills[purpose], hatch=hatch, edgecolor="white", linewidth=0)
            left += spent
        axes.axvline(budget, color="0.2", linestyle="--", linewidth=0.8)
        axes.set_xlim(0, 1.05 * max(budget, left.max()))
        axes.set_xticks([0, budget / 2, budget])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
    for axes, size in zip(grid[:, 0], sizes, strict=True):
        axes.set_ylabel(f"Size {size}")
    for axes, budget in zip(grid[0], budgets, strict=True):
        axes.set_title(f"Budget {budget:g} TE")
    for axes in grid[-1]:
        axes.set_xlabel("Cost (TE)")
    grid[0, 0].invert_yaxis()  # first method on top; the axis is shared
    keys: list[Artist] = [
        Patch(facecolor=fills[purpose], hatch=hatch, edgecolor="white", linewidth=0, label=purpose)
        for purpose, hatch in HATCHES.items()
    ]
    keys.append(Line2D([], [], color="0.2", linestyle="--", linewidth=0.8, label="budget"))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


FIGURES: dict[str, tuple[Callable[[pd.DataFrame], Figure], str]] = {
    "nll_vs_budget": (nll_vs_budget, "Test NLL over the budget. Arrows name means off the scale."),
    "accuracy_vs_diversity": (
        accuracy_vs_diversity,
        "Test accuracy over the members' disagreement at the largest budget. Pale points are single runs; arrows name "
        "means off the scale.",
    ),
    "cost_breakdown": (cost_breakdown, "What each method spent its budget on, mean over repetitions."),
}
"""How each figure is drawn and what its caption begins with."""


def write_figures(records: pd.DataFrame, folder: Path, context: Context) -> list[Path]:
    """Write each of `FIGURES` into `folder`; see `style.save_figures`.

    Args:
        records: one row a run, with the columns method, size, budget, seed, nll, accuracy, disagreement and
            cost_PURPOSE for each of `PURPOSES`.
        folder: made if it is not there.
        context: for the captions.

    Returns:
        The files written.

    Raises:
        NessBenchError: the records are incomplete.
    """
    drawn = {name: (draw(records), caption) for name, (draw, caption) in FIGURES.items()}
    return save_figures(drawn, protocol(context), folder)


def _panels(records: pd.DataFrame) -> tuple[Figure, list[Axes]]:
    """A figure with a panel a size, side by side on one y axis."""
    sizes = sorted(records["size"].unique())
    figure = Figure(figsize=(TEXT_WIDTH, 2.7), layout="constrained")
    panels = list(figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0])
    for axes, size in zip(panels, sizes, strict=True):
        axes.set_title(f"Ensemble size {size}")
    return figure, panels


def _crop(panels: list[Axes], summary: pd.DataFrame, better: int) -> None:
    """Cut the worse end of the y axis where outliers would squeeze the rest, and write down what falls off.

    Args:
        panels: one a size, with the y axis in common.
        summary: of the metric on the y axis.
        better: 1 if higher is better, -1 if lower is.
    """
    losses = -better * summary["mean"]
    limit = outlier_limit(losses)
    off = summary[losses > limit]
    if off.empty:
        return
    end, arrow, x, y, side = ("bottom", "↓", 0.1, 0.02, "left") if better == 1 else ("top", "↑", 0.98, 0.98, "right")
    cut: dict[str, Any] = {end: -better * limit}
    panels[0].set_ylim(**cut)
    for axes, size in zip(panels, sorted(summary["size"].unique()), strict=True):
        ranges = off[off["size"] == size].groupby("method", sort=False)["mean"].agg(["min", "max"])
        notes = [
            f"{arrow} {method} " + " to ".join(dict.fromkeys(f"{mean:#.3g}" for mean in ends))
            for method, *ends in ranges.itertuples()
        ]
        # Below the data, above the grid.
        backdrop = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(x, y, "\n".join(notes), size=7, ha=side, va=end, transform=axes.transAxes, bbox=backdrop, zorder=0.9)
