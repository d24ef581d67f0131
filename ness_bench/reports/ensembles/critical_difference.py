"""Which methods rank so close to each other that they may as well be level."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import text_width
from ness_bench.reports.style import STYLE, TEXT_WIDTH
from ness_bench.studies.comparisons import Ranks, ranks

CAPTION = (
    "Mean ranks by {metric} over repetitions, best to the left (Demšar, JMLR 2006): methods that a bar joins do not "
    "differ, for their ranks lie within Nemenyi's critical difference (CD) of each other."
)

LINE = 0.17
"""Inches: the height of a line of text."""

NAMES = 7
"""Points: the size of names, where they fit."""

BAR = 0.09
"""Inches between two bars."""

WIDEST = 2.0
"""Inches that names may take on either side; longer ones are set smaller."""


@mpl.rc_context(STYLE)
def critical_difference(records: pd.DataFrame, context: Context) -> Figure:
    """Demšar's diagram: an axis of ranks, the critical difference above it, bars and names below."""
    found = ranks(records, context["judged_by"])
    count = len(found.methods)
    depth = BAR * (len(found.groups) + 1)  # from the axis down to the first name
    below = depth + LINE * (-(-count // 2) - 0.5)
    figure = Figure(figsize=(TEXT_WIDTH, below + 0.65))
    longest = max(text_width(_named(found, method), NAMES) for method in range(count))
    size = NAMES * min(1, WIDEST / longest)
    margin = (min(longest, WIDEST) + 0.15) / TEXT_WIDTH
    axes = figure.add_axes((margin, 0.02, 1 - 2 * margin, 0.96))
    axes.set_xlim(1, count)
    axes.set_ylim(-below, 0.63)
    axes.axis("off")
    _scale(axes, found)
    for place, group in enumerate(found.groups):
        of_group = found.mean_ranks[[found.methods.index(method) for method in group]]
        y = -BAR * (place + 0.8)
        axes.plot(
            [of_group.min(), of_group.max()], [y, y], color="0.15", linewidth=2.4, clip_on=False, solid_capstyle="round"
        )
    _names(axes, found, depth, size)
    return figure


def _scale(axes: Axes, found: Ranks) -> None:
    count = len(found.methods)
    axes.plot([1, count], [0, 0], color="black", linewidth=0.8, clip_on=False)
    step = -(-(count - 1) // 10)
    for rank in range(1, count + 1):
        labelled = (rank - 1) % step == 0
        axes.plot([rank, rank], [0, 0.07 if labelled else 0.04], color="black", linewidth=0.8, clip_on=False)
        if labelled:
            axes.text(rank, 0.1, str(rank), ha="center", va="bottom", size=7)
    width = min(found.critical_difference, count - 1)
    ends, y = [1, 1 + width], 0.37
    axes.plot(ends, [y, y], color="black", linewidth=0.8, clip_on=False)
    for end in ends:
        axes.plot([end, end], [y - 0.03, y + 0.03], color="black", linewidth=0.8, clip_on=False)
    more = "" if width == found.critical_difference else ", more than all ranks span"
    axes.text(1, y + 0.06, f"CD {found.critical_difference:.2f}{more}", ha="left", va="bottom", size=7)


def _names(axes: Axes, found: Ranks, depth: float, size: float) -> None:
    """The better half of the methods on the left, the best on top; the others on the right, the worst on top."""
    count = len(found.methods)
    order = np.argsort(found.mean_ranks, kind="stable")
    on_left = -(-count // 2)
    gap = 0.06 * (count - 1) / axes.get_position().width / TEXT_WIDTH  # inches, in ranks
    sides = [(order[:on_left], 1 - gap, "right", -1), (order[on_left:][::-1], count + gap, "left", 1)]
    for methods, end, aligned, outwards in sides:
        for place, method in enumerate(methods):
            rank, y = found.mean_ranks[method], -depth - LINE * place
            axes.plot([rank, rank, end], [0, y, y], color="0.45", linewidth=0.6, clip_on=False)
            axes.text(end + outwards * gap / 2, y, _named(found, method), ha=aligned, va="center", size=size)


def _named(found: Ranks, method: int) -> str:
    return f"{found.methods[method]} ({found.mean_ranks[method]:.1f})"
