"""How many of their runs bring methods how near to the best ensemble there is."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import first_column, legend_below, panels_by_size
from ness_bench.reports.style import STYLE, looks, outlier_limit
from ness_bench.studies.comparisons import profiles
from ness_bench.studies.metrics import metric_named

CAPTION = (
    "Performance profiles: the share of a method's runs, of all budgets, whose regret is at most τ; bands are "
    "pointwise intervals. Where a line ends below 100 %, some runs have a larger regret than is shown."
)

THRESHOLDS = 61


@mpl.rc_context(STYLE)
def regret_profiles(records: pd.DataFrame, context: Context) -> Figure:
    """The share of runs over the regret that is allowed, a panel a size; the sooner up, the better."""
    styles = looks(records["method"].unique())
    lowest = min(0.0, records["regret"].min())
    thresholds = np.linspace(lowest, max(outlier_limit(records["regret"]), lowest + 1e-3), THRESHOLDS)
    marked = THRESHOLDS // 6
    figure, panels = panels_by_size(records)
    for size, axes in panels.items():
        of_size = profiles(records[records["size"] == size], metric_named("regret"), thresholds)
        for place, (method, look) in enumerate(styles.items()):
            line = of_size[of_size["method"] == method]
            low, high = 100 * line["low"], 100 * line["high"]
            pale = min(0.15, 1 / len(styles))
            axes.fill_between(line["threshold"], low, high, color=look.colour, alpha=pale, linewidth=0)
            at = (place % marked, marked)  # so that markers of lines that coincide stand beside each other
            axes.plot(line["threshold"], 100 * line["share"], ls=look.line_style, markevery=at, **look.marks)
        axes.set_xlim(thresholds[0], thresholds[-1])
        axes.set_ylim(0, 102)
        axes.locator_params("x", nbins=5)
        axes.set_xlabel("Regret τ in test NLL")
    for axes in first_column(panels):
        axes.set_ylabel("Runs of regret ≤ τ (%)")
    legend_below(figure, styles, lines=True)
    return figure
