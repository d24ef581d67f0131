"""What the networks that methods choose are made of."""

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.panels import PAGE_HEIGHT, dearest, panels_by_size
from ness_bench.reports.style import STYLE
from ness_bench.spaces.nas_bench_201 import OPERATIONS, parse

CAPTION = (
    "What the members at the largest budget are made of: the share of each operation among the edges of their cells, "
    "written as the canonical ones of their functional classes, where an edge on no path is none. A member of double "
    "weight counts twice."
)

FILLS = dict(zip(OPERATIONS, sns.color_palette("colorblind", 8), strict=False)) | {"none": "0.85"}
HATCHES = dict(zip(OPERATIONS, ("", "/////", "", ".....", "xxxxx"), strict=True))


def shares(records: pd.DataFrame) -> dict[tuple[int, str], npt.NDArray[np.float64]]:
    """The share of each of `OPERATIONS` among the edges of all members of some runs.

    Args:
        records: with the columns method, size and architectures.

    Returns:
        By size and method, float64 [operations], which sums to 1.
    """
    found = {}
    for _, runs in records.groupby(["size", "method"]):
        operations = np.array([parse(string) for of_run in runs["architectures"] for string in of_run])
        found[int(runs["size"].iloc[0]), str(runs["method"].iloc[0])] = (
            np.bincount(operations.ravel(), minlength=len(OPERATIONS)) / operations.size
        )
    return found


@mpl.rc_context(STYLE)
def composition(records: pd.DataFrame, context: Context) -> Figure:
    """Stacked bars, a panel a size and a bar a method."""
    methods, of = list(records["method"].unique()), shares(dearest(records))
    figure, panels = panels_by_size(records, 0.6 + 0.16 * len(methods))
    for size, axes in panels.items():
        left = np.zeros(len(methods))
        for place, operation in enumerate(OPERATIONS):
            share = 100 * np.array([of[size, method][place] for method in methods])
            fill = {"color": FILLS[operation], "hatch": HATCHES[operation], "edgecolor": "white", "linewidth": 0}
            axes.barh(methods, share, 0.75, left, **fill)
            left += share
        axes.set_xlim(0, 100)
        axes.set_xlabel("Edges (%)")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_ylim(len(methods) - 0.5, -0.5)  # first method on top
    keys: list[Artist] = [
        Patch(facecolor=FILLS[one], hatch=HATCHES[one], edgecolor="white", linewidth=0, label=one) for one in OPERATIONS
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    figure.set_figheight(min(PAGE_HEIGHT, figure.get_figheight() + 0.3))
    return figure
