"""The figures of a study, as PDF for a paper and PNG for a screen.

Drawn at a paper's text width, with a colour (told apart by the colour-blind), a marker and a line style a
method, so that they can be read in grey. A method keeps its look through all figures.
"""

from collections.abc import Callable
from dataclasses import dataclass
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

from ness_bench.reports.captions import Context, protocol
from ness_bench.studies.statistics import summarise
from ness_bench.tasks.budget import PURPOSES

TEXT_WIDTH = 5.5
"""Inches: the text width of NeurIPS and ICLR papers."""

STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",  # comes with Matplotlib and goes with Times
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # TrueType: venues refuse Type 3
}

COLOURS = (*(colour for place, colour in enumerate(sns.color_palette("colorblind")) if place not in (6, 8)), "black")
"""Without its pink and yellow, which fade on white."""

MARKERS = "osD^v<>XPhp"
LINE_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
"""The numbers of colours, markers and line styles have no common factor, so a look recurs after 693 methods only."""

HATCHES = dict(zip(PURPOSES, ("", "/////", "....."), strict=True))


@dataclass(frozen=True)
class Look:
    """How a method is drawn."""

    colour: Any
    marker: str
    line_style: Any

    @property
    def marks(self) -> dict[str, Any]:
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
            "linewidth": 0.9,
        }


def looks(records: pd.DataFrame) -> dict[str, Look]:
    """The look of each method, by its place in the records."""
    return {
        method: Look(
            COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], LINE_STYLES[place % len(LINE_STYLES)]
        )
        for place, method in enumerate(records["method"].unique())
    }


@mpl.rc_context(STYLE)
def nll_vs_budget(records: pd.DataFrame) -> Figure:
    """Mean test NLL over the budget, a panel a size; methods are shifted sideways so that bars do not overlap."""
    summary = summarise(records, ["nll"])
    budgets = sorted(records["budget"].unique())
    styles = looks(records)
    gap = np.diff(np.log(budgets)).min(initial=np.log(2))
    shifts = np.exp(gap * np.linspace(-0.15, 0.15, len(styles)))
    figure, panels = _panels(records)
    for axes, (_, of_size) in zip(panels, summary.groupby("size"), strict=True):
        for (method, look), shift in zip(styles.items(), shifts, strict=True):
            line = of_size[of_size["method"] == method]
            axes.errorbar(
                line["budget"] * shift, line["mean"], _bars(line), ls=look.line_style, elinewidth=0.7, **look.marks
            )
        axes.set_xscale("log")
        axes.set_xlim(budgets[0] * np.exp(-gap / 3), budgets[-1] * np.exp(gap / 3))
        axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        axes.minorticks_off()
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("Budget (TE)")
    panels[0].set_ylabel("Test NLL")
    _crop(panels, summary, better=-1)
    _legend(figure, styles, lines=True)
    return figure


@mpl.rc_context(STYLE)
def accuracy_vs_diversity(records: pd.DataFrame) -> Figure:
    """Test accuracy over disagreement at the largest budget, a panel a size: single runs in pale, means with bars."""
    dearest = records[records["budget"] == records["budget"].max()]
    percent = dearest.assign(accuracy=100 * dearest["accuracy"], disagreement=100 * dearest["disagreement"])
    accuracies, disagreements = summarise(percent, ["accuracy"]), summarise(percent, ["disagreement"])
    styles = looks(records)
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
            axes.errorbar(x["mean"], y["mean"], _bars(y), _bars(x), ls="", elinewidth=0.7, **look.marks)
        axes.set_xlabel("Disagreement (%)")
    panels[0].set_ylabel("Test accuracy (%)")
    _crop(panels, accuracies, better=1)
    _legend(figure, styles, lines=False)
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


@mpl.rc_context(STYLE)
def write_figures(records: pd.DataFrame, folder: Path, context: Context) -> list[Path]:
    """Write each of `FIGURES` as PDF and PNG into `folder`, and figures.md, which shows them with their captions.

    The same records and versions give the same bytes.

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
    drawn = {name: draw(records) for name, (draw, _) in FIGURES.items()}
    folder.mkdir(parents=True, exist_ok=True)
    written, shown = [], []
    for name, figure in drawn.items():
        pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
        figure.savefig(pdf, metadata={"CreationDate": None})
        figure.savefig(png, dpi=200)
        written += [pdf, png]
        caption = FIGURES[name][1]
        shown.append(f"![{caption}]({png.name})\n\n{caption} {protocol(context)}\n")
    page = folder / "figures.md"
    page.write_text("\n".join(shown), encoding="utf-8")
    return [*written, page]


def _panels(records: pd.DataFrame) -> tuple[Figure, list[Axes]]:
    """A figure with a panel a size, side by side on one y axis."""
    sizes = sorted(records["size"].unique())
    figure = Figure(figsize=(TEXT_WIDTH, 2.7), layout="constrained")
    panels = list(figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0])
    for axes, size in zip(panels, sizes, strict=True):
        axes.set_title(f"Ensemble size {size}")
    return figure, panels


def _bars(summary: pd.DataFrame) -> list[pd.Series]:
    """Lengths of the error bars below and above the means."""
    return [summary["mean"] - summary["low"], summary["high"] - summary["mean"]]


def _crop(panels: list[Axes], summary: pd.DataFrame, better: int) -> None:
    """Cut the worse end of the y axis where outliers would squeeze the rest, and write down what falls off.

    Outliers lie more than four times as far from the best mean as the better half of the means do.

    Args:
        panels: one a size, with the y axis in common.
        summary: of the metric on the y axis.
        better: 1 if higher is better, -1 if lower is.
    """
    losses = -better * summary["mean"]
    best = losses.min()
    kept = losses[losses <= best + 4 * (losses.median() - best)]
    limit = best + 1.5 * (kept.max() - best)  # leaves room for the note
    off = summary[losses > limit]
    if off.empty:
        return
    end, arrow, x, y, side = ("bottom", "↓", 0.1, 0.02, "left") if better == 1 else ("top", "↑", 0.98, 0.98, "right")
    panels[0].set_ylim(**{end: -better * limit})
    for axes, size in zip(panels, sorted(summary["size"].unique()), strict=True):
        ranges = off[off["size"] == size].groupby("method", sort=False)["mean"].agg(["min", "max"])
        notes = [
            f"{arrow} {method} " + " to ".join(dict.fromkeys(f"{mean:#.3g}" for mean in ends))
            for method, *ends in ranges.itertuples()
        ]
        # Below the data, above the grid.
        backdrop = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(x, y, "\n".join(notes), size=7, ha=side, va=end, transform=axes.transAxes, bbox=backdrop, zorder=0.9)


def _legend(figure: Figure, styles: dict[str, Look], lines: bool) -> None:
    """A legend below the panels, in as many columns as fit, five at most."""
    keys = [
        Line2D([], [], linestyle=look.line_style if lines else "", label=method, **look.marks)
        for method, look in styles.items()
    ]
    for columns in range(5, 0, -1):
        legend = figure.legend(handles=keys, loc="outside lower center", ncols=columns, handlelength=3 if lines else 1)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
