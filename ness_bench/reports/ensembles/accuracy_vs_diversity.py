"""How accurate ensembles are, and how much their members differ."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import crop, dearest, first_column, legend_below, panels_by_size
from ness_bench.reports.style import STYLE, bars, looks
from ness_bench.studies.statistics import summarise

CAPTION = (
    "Test accuracy over the members' disagreement at the largest budget. Pale points are single runs, the star is the "
    "ensemble of lowest test NLL that there is; arrows name means off the scale."
)

STAR: dict[str, Any] = {
    "marker": "*",
    "color": "0.3",
    "markersize": 9,
    "markeredgecolor": "white",
    "markeredgewidth": 0.4,
    "ls": "",
}


@mpl.rc_context(STYLE)
def accuracy_vs_diversity(records: pd.DataFrame, context: Context) -> Figure:
    """Test accuracy over disagreement at the largest budget, a panel a size: single runs in pale, means with bars."""
    runs = dearest(records)
    percent = runs.assign(accuracy=100 * runs["accuracy"], disagreement=100 * runs["disagreement"])
    accuracies, disagreements = summarise(percent, ["accuracy"]), summarise(percent, ["disagreement"])
    styles = looks(records["method"].unique())
    figure, panels = panels_by_size(records)
    for size, axes in panels.items():
        of_size = percent[percent["size"] == size]
        for method, look in styles.items():
            one = of_size[of_size["method"] == method]
            cloud = {"s": 8, "color": look.colour, "marker": look.marker, "alpha": 0.25, "linewidths": 0}
            axes.scatter(one["disagreement"], one["accuracy"], **cloud)
        for method, look in styles.items():
            x, y = (
                means[(means["size"] == size) & (means["method"] == method)] for means in (disagreements, accuracies)
            )
            axes.errorbar(x["mean"], y["mean"], bars(y), bars(x), ls="", elinewidth=0.7, **look.marks)
        target = context["targets"][size]
        axes.plot(100 * target.disagreement, 100 * target.accuracy, **STAR)
        axes.set_xlabel("Disagreement (%)")
    for axes in first_column(panels):
        axes.set_ylabel("Test accuracy (%)")
    crop(panels, accuracies, better=1)
    legend_below(figure, styles, lines=False, more=[Line2D([], [], label="best there is", **STAR)])
    return figure
