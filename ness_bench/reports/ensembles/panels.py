"""Panels side by side, one an ensemble size, and what keeps them readable: room for the legend, cut outliers."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ness_bench.reports.style import TEXT_WIDTH, Look, legend, outlier_limit

HEIGHT = 2.4
"""Inches: of a row of panels with their labels, without the legend."""

NOTE = 0.07
"""Share of a panel's height that a line of a note takes."""

PAGE_HEIGHT = 8.5
"""Inches: no figure is higher, so that it fits a page with its caption."""


def panels_by_size(records: pd.DataFrame, height: float = HEIGHT) -> tuple[Figure, dict[int, Axes]]:
    """A figure with a panel a size on one y axis, up to three in a row of some height."""
    sizes = sorted(records["size"].unique().tolist())
    across = len(sizes) if len(sizes) <= 3 else 2 if len(sizes) == 4 else 3
    down = -(-len(sizes) // across)
    figure = Figure(figsize=(TEXT_WIDTH, height * down), layout="constrained")
    places = list(figure.subplots(down, across, sharey=True, squeeze=False).flat)
    panels = dict(zip(sizes, places, strict=False))
    for size, axes in panels.items():
        axes.set_title(f"Ensemble size {size}")
    for unused in places[len(sizes) :]:
        unused.remove()
    return figure, panels


def first_column(panels: dict[int, Axes]) -> list[Axes]:
    """The panels at the left edge."""
    places = {axes: axes.get_subplotspec() for axes in panels.values()}
    return [axes for axes, place in places.items() if place is not None and place.is_first_col()]


def sideways(count: int) -> npt.NDArray[np.float64]:
    """Where marks that would cover each other are put beside each other: from -1 to 1, a single one at 0."""
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)


def legend_below(figure: Figure, styles: Mapping[str, Look], lines: bool, more: Iterable[Line2D] = ()) -> None:
    """A `style.legend`, for which the figure grows, and its panels as well where there are many methods."""
    legend(figure, styles, lines, more)
    taken = figure.legends[-1].get_window_extent().height / figure.dpi
    figure.set_figheight(figure.get_figheight() + taken + 0.04 * max(0, len(styles) - 10))


def text_width(text: str, size: float) -> float:
    """Inches that a line of text takes, in points of size."""
    figure = Figure()
    width: float = figure.text(0, 0, text, size=size).get_window_extent().width / figure.dpi
    return width


def dearest(records: pd.DataFrame) -> pd.DataFrame:
    """The runs of the largest budget."""
    runs: pd.DataFrame = records[records["budget"] == records["budget"].max()]
    return runs


def crop(panels: dict[int, Axes], summary: pd.DataFrame, better: int) -> None:
    """Cut the worse end of the y axis where outliers would squeeze the rest, and write down what falls off.

    Args:
        panels: by size, with the y axis in common.
        summary: of the metric on the y axis.
        better: 1 if higher is better, -1 if lower is.
    """
    losses = -better * summary["mean"]
    limit = outlier_limit(losses)
    off = losses > limit
    if not off.any():
        return
    end, arrow, x, y, side = ("bottom", "↓", 0.1, 0.02, "left") if better == 1 else ("top", "↑", 0.98, 0.98, "right")
    notes = {size: _notes(summary[off & (summary["size"] == size)], arrow) for size in panels}
    good = min(min(-better * edge for edge in axes.get_ylim()) for axes in panels.values())
    taken = min(0.5, NOTE * max(map(len, notes.values())))  # of the axis
    worst = min(good + (limit - good) / (1 - taken), losses[off].min() - 0.02 * (limit - good))
    cut: dict[str, Any] = {end: -better * max(limit, worst)}
    for size, axes in panels.items():
        axes.set_ylim(**cut)
        backdrop = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.6}
        text = "\n".join(notes[size])
        axes.text(x, y, text, size=7, ha=side, va=end, transform=axes.transAxes, bbox=backdrop, zorder=4)


def _notes(off: pd.DataFrame, arrow: str) -> list[str]:
    """A line a method that falls off the scale."""
    ranges = off.groupby("method", sort=False, observed=True)["mean"].agg(["min", "max"])
    return [
        f"{arrow} {method} " + " to ".join(dict.fromkeys(f"{mean:#.3g}" for mean in ends))
        for method, *ends in ranges.itertuples()
    ]
