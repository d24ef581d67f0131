"""A figure a factor: what its values do to NLL, to the diversity of the members, and to cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from ness_bench.ensembles.oracle import Optimum
from ness_bench.reports.ablations.captions import VALUES, shown, title
from ness_bench.reports.style import REFERENCE, STYLE, TEXT_WIDTH, Look, bars, legend, outlier_limit

BAND: dict[str, Any] = {"color": "0.92", "linewidth": 0, "zorder": 0}
"""How the reference value is marked, behind everything."""

NOTE: dict[str, Any] = {"size": 7, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}, "zorder": 0.9}
"""Text below the data, above the grid."""

LINE = 0.055
"""Of the height of the NLL panel, what a line of a note takes."""

ROOM = 40
"""Characters of tick labels that fit below a panel."""

READ = (
    "Bars are the intervals of means, not of the paired differences. Shaded is the reference; dashed are "
    "the best ensemble in the bank, the size of an ensemble and the budget; hollow marks are the cost of the search "
    "without the final trainings; arrows name what is off the scale."
)
"""How a figure is read, for its caption."""


@dataclass(frozen=True)
class Panel:
    """What of the cells a panel shows."""

    metric: str
    title: str
    scale: int = 1


PANELS = (
    Panel("nll", "Test NLL"),
    Panel("distinct", "Distinct classes"),
    Panel("disagreement", "Disagreement (%)", 100),
    Panel("cost", "Cost (TE)"),
)


@mpl.rc_context(STYLE)
def factor_figure(cells: pd.DataFrame, best: Mapping[int, Optimum], styles: Mapping[str, Look]) -> Figure:
    """Means with intervals over the values of one factor, at equal steps; a panel each of `PANELS`, NLL the largest.

    Args:
        cells: of one factor; see `cells.factor_cells`.
        best: ensembles of the bank by size.
        styles: of all methods of the study.
    """
    factor, values = str(cells["factor"].iloc[0]), values_of(cells)
    numbers = not any(isinstance(value, str) for value in values)
    of_methods = {str(method): rows for method, rows in cells.groupby("method", sort=False)}
    widest = min(0.3, 0.1 * (len(of_methods) - 1))
    shifts = np.linspace(-widest, widest, len(of_methods))
    figure = Figure(figsize=(TEXT_WIDTH, 3.4), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(1.25, 1))
    large = figure.add_subplot(grid[:, 0])
    panels = [large, *(figure.add_subplot(grid[row, 1], sharex=large) for row in range(3))]
    for axes, panel in zip(panels, PANELS, strict=True):
        for place in {values.index(value) for value in cells.loc[cells["is_reference"], "value"]}:
            axes.axvspan(place - 0.5, place + 0.5, **BAND)
        for (method, rows), shift in zip(of_methods.items(), shifts, strict=True):
            look = styles[method]
            x = np.array([values.index(value) for value in rows["value"]]) + shift
            ends = pd.DataFrame({end: panel.scale * rows[f"{panel.metric}_{end}"] for end in ("mean", "low", "high")})
            axes.errorbar(x, ends["mean"], bars(ends), ls="", elinewidth=0.7, **look.marks)
            if numbers:
                joined = [(factor, value) not in VALUES for value in rows["value"]]
                axes.plot(x[joined], ends["mean"][joined], ls=look.line_style, color=look.colour, lw=0.9, zorder=1.9)
            if panel.metric == "cost":
                hollow = {"markerfacecolor": "white", "markeredgecolor": look.colour, "markeredgewidth": 0.8}
                axes.plot(x, rows["search_mean"], ls="", **look.marks | hollow)
        axes.set_title(panel.title)
        axes.grid(axis="x", visible=False)
        axes.tick_params(axis="x", length=0, labelbottom=axes in (large, panels[-1]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=7 if axes is large else 3, steps=(1, 2, 5, 10)))
    _nll(panels[0], cells, values, best)
    _levels(panels[1], _of_value(cells, values, cells["size"]))
    _cost(panels[3], cells, values)
    labels = [shown(factor, value) for value in values]
    large.set_xticks(range(len(values)), labels)
    large.set_xlim(-0.6, len(values) - 0.4)
    for axes in (large, panels[-1]):
        axes.set_xlabel(title(factor))
        if sum(map(len, labels)) + 2 * len(labels) > ROOM:
            axes.tick_params(axis="x", labelrotation=90)
    more = [
        Line2D([], [], label="reference", linestyle="", marker="s", markersize=7, color="0.85"),
        Line2D([], [], label="best in the bank; size; budget", **REFERENCE),
        Line2D([], [], label="search alone", linestyle="", marker="o", markersize=4.5, color="0.3", mfc="white"),
    ]
    legend(figure, {method: styles[method] for method in of_methods}, lines=numbers, more=more)
    return figure


def values_of(cells: pd.DataFrame) -> list[Any]:
    """All values that methods were given of one factor, in ascending order if these are numbers."""
    values = list(dict.fromkeys(cells["value"]))
    return values if any(isinstance(value, str) for value in values) else sorted(values)


def _of_value(cells: pd.DataFrame, values: Sequence[Any], column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """A number that is the same for all methods, by value."""
    by_value = dict(zip(cells["value"], column, strict=True))
    return np.array([by_value[value] for value in values], np.float64)


def _levels(axes: Axes, levels: npt.NDArray[np.float64]) -> None:
    """A dashed line right across, or one at each value where they differ."""
    if len(set(levels)) == 1:
        axes.axhline(levels[0], **REFERENCE)
    else:
        places = np.arange(len(levels))
        axes.hlines(levels, places - 0.45, places + 0.45, REFERENCE["color"], REFERENCE["linestyle"], lw=0.8)


def _nll(axes: Axes, cells: pd.DataFrame, values: Sequence[Any], best: Mapping[int, Optimum]) -> None:
    """The best that there is; where it, or an outlier, would squeeze the rest, a note of it in place of the mark."""
    optima = _of_value(cells, values, cells["size"].map({size: optimum.value for size, optimum in best.items()}))
    if len(set(optima)) > 1:
        _levels(axes, optima)
        return
    wide = cells["nll_mean"].min() + 4 * (cells["nll_high"] - cells["nll_low"]).median()
    off = cells["nll_mean"] > max(outlier_limit(cells["nll_mean"]), wide)
    low, high = cells.loc[~off, "nll_low"].min(), cells.loc[~off, "nll_high"].max()
    height = high - low or 0.01
    above = [
        f"↑ {method} at {', '.join(shown(row.factor, row.value) for row in rows.itertuples())}: "
        + " to ".join(dict.fromkeys(f"{mean:.3f}" for mean in (rows["nll_mean"].min(), rows["nll_mean"].max())))
        for method, rows in cells[off].groupby("method", sort=False)
    ]
    below = low - optima[0] > height
    if below:
        axes.text(0.02, 0.01, f"↓ best in the bank: {optima[0]:.4f}", va="bottom", transform=axes.transAxes, **NOTE)
    else:
        axes.axhline(optima[0], **REFERENCE)
        low = min(low, optima[0])
    if above:
        axes.text(0.98, 0.99, "\n".join(above), ha="right", va="top", transform=axes.transAxes, **NOTE)
        free = Rectangle((0, 0), 1, 1 - LINE * (len(above) + 0.5), transform=axes.transAxes)
        for artist in (*axes.lines, *axes.collections):
            artist.set_clip_path(free)  # what leads to an outlier ends below its note
    height = (high - low or 0.01) / (1 - LINE * (len(above) + below + 1))
    axes.set_ylim(low - height * LINE * (below + 0.5), high + height * LINE * (len(above) + 0.5))


def _cost(axes: Axes, cells: pd.DataFrame, values: Sequence[Any]) -> None:
    """The budget, on an axis from 0, or on a logarithmic one where the budget itself varies."""
    budgets = _of_value(cells, values, cells["budget"])
    _levels(axes, budgets)
    if len(set(budgets)) == 1:
        axes.set_ylim(0, 1.08 * max(budgets[0], cells["cost_high"].max()))
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
