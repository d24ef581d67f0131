"""How far the confidence of ensembles is from how often they are right."""

from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import PAGE_HEIGHT, dearest, text_width
from ness_bench.reports.style import LINE_STYLES, MARKERS, REFERENCE, STYLE, TEXT_WIDTH

CAPTION = (
    "Reliability at the largest budget: accuracy minus confidence over confidence, on test, by bin of the calibration "
    "error, all repetitions together. Below the dashed line ensembles are surer than they are right. Points grow with "
    "the examples of a bin; bins of fewer than one example in 200 are left out. Below the names, the mean ECE by size."
)

MOST_ACROSS = 5
"""Panels in a row."""

SMALL = 7
"""Points: the size of titles."""

FEWEST = 1 / 200
"""Of all examples: what a bin needs to be drawn."""

Floats = npt.NDArray[np.float64]


def gaps(runs: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Confidence, accuracy − confidence and share of the examples, by bin of some runs taken together.

    Args:
        runs: with the column reliability: examples, confidence and right, a number a bin each.

    Returns:
        Each float64 [bins], of the bins that hold enough examples.
    """
    parts = [[of_run[part] for part in ("examples", "confidence", "right")] for of_run in runs["reliability"]]
    examples, confidence, right = np.array(parts, np.float64).sum(axis=0)
    share = examples / examples.sum()
    drawn = share >= FEWEST
    confidence, right = confidence[drawn] / examples[drawn], right[drawn] / examples[drawn]
    return confidence, right - confidence, share[drawn]


@mpl.rc_context(STYLE)
def calibration(records: pd.DataFrame, context: Context) -> Figure:
    """A panel a method, as many in a row as their names allow, and a line a size."""
    runs, methods = dearest(records), list(records["method"].unique())
    sizes = sorted(records["size"].unique().tolist())
    colours = sns.color_palette("crest", len(sizes))
    lines: dict[int, dict[str, Any]] = {
        size: {
            "color": colours[place],
            "linestyle": LINE_STYLES[place % len(LINE_STYLES)],
            "marker": MARKERS[place % len(MARKERS)],
            "linewidth": 0.9,
        }
        for place, size in enumerate(sizes)
    }
    across = _across(methods)
    down = -(-len(methods) // across)
    figure = Figure(
        figsize=(TEXT_WIDTH, min(PAGE_HEIGHT, 0.7 + (1.3 if across > 2 else 1.8) * down)), layout="constrained"
    )
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes, method in zip(grid.flat, methods, strict=False):
        axes.axhline(0, **REFERENCE)
        errors = []
        for size, line in lines.items():
            one = runs[(runs["method"] == method) & (runs["size"] == size)]
            confidence, gap, share = gaps(one)
            axes.plot(100 * confidence, 100 * gap, **line | {"marker": ""})
            point = {"color": line["color"], "marker": line["marker"], "linewidths": 0}
            axes.scatter(100 * confidence, 100 * gap, 3 + 40 * share, **point)
            errors.append(one["ece"].mean())
        axes.set_title(f"{method}\n{_errors(errors)}", size=SMALL)
        axes.set_xticks([25, 50, 75, 100])
    for place, axes in enumerate(grid.flat):
        axes.set_visible(place < len(methods))
        axes.tick_params(labelbottom=place + across >= len(methods))
    figure.supxlabel("Confidence (%)", size=8)
    figure.supylabel("Accuracy − confidence (%)", size=8)
    keys = [Line2D([], [], label=f"size {size}", markersize=4, **line) for size, line in lines.items()]
    figure.legend(handles=keys, loc="outside upper center", ncols=min(len(keys), 5), handlelength=3)
    return figure


def _across(methods: list[str]) -> int:
    """How many panels stand side by side."""
    longest = max(text_width(method, SMALL) for method in methods)
    fitting = int((TEXT_WIDTH - 0.4) / (longest + 0.1))
    return max(1, min(MOST_ACROSS, fitting, len(methods)))


def _errors(errors: list[float]) -> str:
    """Up to three as they are, of more the least and the largest."""
    if len(errors) > 3:
        return f"ECE {min(errors):.3f} to {max(errors):.3f}"
    return "ECE " + " · ".join(f"{error:.3f}" for error in errors)
