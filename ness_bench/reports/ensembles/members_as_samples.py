"""What ensembles look like as samples from the space: how far their members lie apart, how many functions they are."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import HEIGHT, dearest, legend_below, sideways
from ness_bench.reports.style import REFERENCE, STYLE, TEXT_WIDTH, bars, looks
from ness_bench.spaces.nas_bench_201 import EDGES, parse
from ness_bench.studies.statistics import summarise

CAPTION = (
    "Ensembles as samples, at the largest budget, over their size: mean Hamming distance between the canonical cells "
    f"of two members, of {len(EDGES)} edges, 0 of two copies; and functional classes among the "
    "members, at most as many as members, which the dashed lines mark."
)

UNDERLAID = {"colors": REFERENCE["color"], "linestyles": "--", "linewidths": 0.8, "zorder": 1}


def hamming(strings: list[str]) -> float:
    """Mean over pairs of the number of edges whose operations differ; 0 of a single architecture."""
    cells = [parse(string) for string in strings]
    distances = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in combinations(cells, 2)]
    return float(np.mean(distances)) if distances else 0.0


@mpl.rc_context(STYLE)
def members_as_samples(records: pd.DataFrame, context: Context) -> Figure:
    """A panel a measure, over the ensemble size; methods are shifted sideways so that bars do not overlap."""
    runs = dearest(records)
    summary = summarise(runs.assign(hamming=runs["architectures"].map(hamming)), ["hamming", "distinct"])
    sizes, styles = sorted(records["size"].unique().tolist()), looks(records["method"].unique())
    gap = float(np.diff(sizes).min(initial=max(sizes)))
    shifts = 0.2 * gap * sideways(len(styles))
    figure = Figure(figsize=(TEXT_WIDTH, HEIGHT), layout="constrained")
    of_distance, of_classes = figure.subplots(1, 2)
    for axes, metric in ((of_distance, "hamming"), (of_classes, "distinct")):
        of_metric = summary[summary["metric"] == metric]
        for (method, look), shift in zip(styles.items(), shifts, strict=True):
            line = of_metric[of_metric["method"] == method]
            mean = {"ls": look.line_style, "elinewidth": 0.7}
            axes.errorbar(line["size"] + shift, line["mean"], bars(line), **mean, **look.marks)
        axes.set_xlim(sizes[0] - gap / 2, sizes[-1] + gap / 2)
        axes.set_xticks(sizes)
        axes.set_xlabel("Ensemble size")
        axes.grid(axis="x", visible=False)
        axes.set_ylim(bottom=-0.04 * max(axes.get_ylim()))  # room for markers at 0
    of_classes.hlines(sizes, np.array(sizes) - gap / 2, np.array(sizes) + gap / 2, **UNDERLAID)
    of_distance.set_ylabel("Hamming distance (edges)")
    of_classes.set_ylabel("Functional classes")
    legend_below(figure, styles, lines=True)
    return figure
