"""What methods reach with which budget."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import crop, first_column, legend_below, panels_by_size, sideways
from ness_bench.reports.style import REFERENCE, STYLE, bars, looks
from ness_bench.studies.statistics import summarise

CAPTION = (
    "Test NLL over the budget; bands and bars are the intervals, the dashed line is the best ensemble there is. Arrows "
    "name means off the scale."
)


@mpl.rc_context(STYLE)
def nll_vs_budget(records: pd.DataFrame, context: Context) -> Figure:
    """Mean test NLL over the budget, a panel a size; methods are shifted sideways so that bars do not overlap."""
    summary = summarise(records, ["nll"])
    budgets = sorted(records["budget"].unique())
    styles = looks(records["method"].unique())
    gap = np.diff(np.log(budgets)).min(initial=np.log(2))
    shifts = np.exp(0.15 * gap * sideways(len(styles)))
    pale = min(0.15, 1 / len(styles))
    figure, panels = panels_by_size(records)
    for size, axes in panels.items():
        of_size = summary[summary["size"] == size]
        for (method, look), shift in zip(styles.items(), shifts, strict=True):
            line = of_size[of_size["method"] == method]
            x = line["budget"] * shift
            axes.fill_between(x, line["low"], line["high"], color=look.colour, alpha=pale, linewidth=0)
            axes.errorbar(x, line["mean"], bars(line), ls=look.line_style, elinewidth=0.7, **look.marks)
        axes.axhline(context["targets"][size].nll, **REFERENCE)
        axes.set_xscale("log")
        axes.set_xlim(budgets[0] * np.exp(-gap / 3), budgets[-1] * np.exp(gap / 3))
        axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        axes.minorticks_off()
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("Budget (TE)")
    for axes in first_column(panels):
        axes.set_ylabel("Test NLL")
    crop(panels, summary, better=-1)
    legend_below(figure, styles, lines=True, more=[Line2D([], [], label="best there is", **REFERENCE)])
    return figure
