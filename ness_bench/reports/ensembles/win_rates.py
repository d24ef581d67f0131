"""How often each method beats each other."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import text_width
from ness_bench.reports.style import STYLE, TEXT_WIDTH
from ness_bench.studies.comparisons import win_rates as rates

CAPTION = (
    "Share of sizes, budgets and repetitions, in per cent, in which the method of a row has the better {metric} than "
    "that of a column, the darker the more; ties count half."
)


@mpl.rc_context(STYLE)
def win_rates(records: pd.DataFrame, context: Context) -> Figure:
    """A square a pair of methods, the darker the more often, with its number."""
    found = rates(records, context["judged_by"])
    methods, percent = list(found.index), 100 * found.to_numpy(np.float64)
    count = len(methods)
    figure = Figure(figsize=(TEXT_WIDTH, 0.9 + min(0.24, 4.2 / count) * count), layout="constrained")
    axes = figure.subplots()
    axes.imshow(percent, cmap=sns.color_palette("Blues", as_cmap=True), vmin=0, vmax=100, aspect="auto")
    size = min(7, 110 / count)
    for row in range(count):
        for column in range(count):
            if row != column:
                rate = percent[row, column]
                colour = "white" if rate > 65 else "black"
                axes.text(column, row, f"{rate:.0f}", ha="center", va="center", size=size, color=colour)
            else:
                axes.text(column, row, "–", ha="center", va="center", size=size, color="0.4")
    longest = max(text_width(method, 7) for method in methods)
    axes.set_xticks(range(count), methods, rotation=0 if longest < (TEXT_WIDTH - longest) / count - 0.1 else 90)
    axes.set_yticks(range(count), methods)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure
