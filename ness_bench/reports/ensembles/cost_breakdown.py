"""What methods spend their budgets on."""

from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import PAGE_HEIGHT
from ness_bench.reports.style import STYLE, TEXT_WIDTH
from ness_bench.studies.statistics import summarise
from ness_bench.tasks.budget import PURPOSES

CAPTION = "What each method spent its budget on, mean over repetitions."

HATCHES = dict(zip(PURPOSES, ("", "/////", "....."), strict=True))


@mpl.rc_context(STYLE)
def cost_breakdown(records: pd.DataFrame, context: Context) -> Figure:
    """Mean TE spent by purpose, a row of panels a size and a column a budget; a dashed line marks the budget."""
    summary = summarise(records, [f"cost_{purpose}" for purpose in PURPOSES])
    methods = list(records["method"].unique())
    sizes, budgets = (sorted(records[axis].unique()) for axis in ("size", "budget"))
    fills = dict(zip(PURPOSES, sns.color_palette("Blues", len(PURPOSES) + 1)[1:], strict=True))
    height = min(PAGE_HEIGHT, 0.8 + len(sizes) * (0.1 + 0.14 * len(methods)))
    pitch = 72 * ((height - 0.8) / len(sizes) - 0.1) / len(methods)  # points from one method to the next
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
        axes.tick_params(axis="y", length=0, labelsize=min(7, 0.8 * pitch))
        axes.grid(axis="y", visible=False)
    for axes, size in zip(grid[:, 0], sizes, strict=True):
        axes.set_ylabel(f"Size {size}")
    for axes, budget in zip(grid[0], budgets, strict=True):
        axes.set_title(f"Budget {budget:g} TE")
    for axes in grid[-1]:
        axes.set_xlabel("Cost (TE)")
    grid[0, 0].set_ylim(len(methods) - 0.5, -0.5)  # first method on top; the axis is shared
    keys: list[Artist] = [
        Patch(facecolor=fills[purpose], hatch=hatch, edgecolor="white", linewidth=0, label=purpose)
        for purpose, hatch in HATCHES.items()
    ]
    keys.append(Line2D([], [], color="0.2", linestyle="--", linewidth=0.8, label="budget"))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure
