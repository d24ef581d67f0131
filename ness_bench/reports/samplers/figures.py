"""The figures of a study of samplers: the posterior, and what both draw from it as one thing varies."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ness_bench.reports.samplers.cells import OF_DRAWS, OF_POSTERIOR, TITLES, Middle
from ness_bench.reports.style import LINE_STYLES, MARKERS, REFERENCE, STYLE, TEXT_WIDTH, Drawn, Look, looks
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.studies.samplers import MONTE_CARLO, SVGD_RD

LOOKS = looks(TITLES)

SHOWN = tuple(measure for measure in OF_DRAWS if measure.column != "distinct")
"""The measures with a panel each; the sixth place is the legend's."""

Series = Mapping[str, tuple[pd.DataFrame, Look]]
"""Lines by name: means, and how they are drawn."""


@mpl.rc_context(STYLE)
def posterior(means: pd.DataFrame, middle: Middle) -> Figure:
    """What tempering makes of the posterior, and how well q stands for it, a panel a measure."""
    figure = Figure(figsize=(TEXT_WIDTH, 1.7), layout="constrained")
    of_temperature = means.drop_duplicates("temperature").sort_values("temperature")
    for axes, measure in zip(figure.subplots(1, len(OF_POSTERIOR)), OF_POSTERIOR, strict=True):
        x, y = of_temperature["temperature"], of_temperature[f"{measure.column}_mean"]
        axes.plot(x, y, **Look("black", "o", "-").marks)
        if measure.column == "entropy":
            uniform = np.log(len(architectures()))
            axes.axhline(uniform, **REFERENCE)
            axes.annotate(
                "uniform", (0.05, uniform), (0, -2), ("axes fraction", "data"), "offset points", va="top", size=7
            )
        axes.set_title(measure.head)
        axes.set_ylim(bottom=0)
        _scale(axes, "temperature", x)
    return figure


@mpl.rc_context(STYLE)
def over_temperature(means: pd.DataFrame, middle: Middle) -> Figure:
    return _panels(_both(means, middle, "temperature"), "temperature", middle)


@mpl.rc_context(STYLE)
def over_size(means: pd.DataFrame, middle: Middle) -> Figure:
    return _panels(_both(means, middle, "size"), "size", middle)


@mpl.rc_context(STYLE)
def over_delta(means: pd.DataFrame, middle: Middle) -> Figure:
    """SVGD-RD, a line a σ, pale for the smallest; Monte Carlo, which has no δ, is level."""
    of_svgd = middle.rows(means, SVGD_RD, ["delta", "sigma"])
    sigmas, deltas = sorted(of_svgd["sigma"].unique()), sorted(of_svgd["delta"].unique())
    level = (
        middle.rows(means, MONTE_CARLO, []).drop(columns="delta").merge(pd.DataFrame({"delta": deltas}), how="cross")
    )
    series = {TITLES[MONTE_CARLO]: (level, LOOKS[MONTE_CARLO])}
    for place, (sigma, colour) in enumerate(zip(sigmas, sns.color_palette("flare", len(sigmas)), strict=True), 1):
        look = Look(colour, MARKERS[place % len(MARKERS)], LINE_STYLES[place % len(LINE_STYLES)])
        series[f"SVGD-RD, σ = {sigma:g}"] = of_svgd[of_svgd["sigma"] == sigma], look
    return _panels(series, "delta", middle)


def _both(means: pd.DataFrame, middle: Middle, varied: str) -> Series:
    return {TITLES[sampler]: (middle.rows(means, sampler, [varied]), look) for sampler, look in LOOKS.items()}


def _panels(series: Series, x: str, middle: Middle) -> Figure:
    """A panel for each of `SHOWN`: means with bands for intervals over x."""
    figure = Figure(figsize=(TEXT_WIDTH, 3.3), layout="constrained")
    *panels, corner = figure.subplots(2, 3).flat
    for axes, measure in zip(panels, SHOWN, strict=True):
        for rows, look in series.values():
            mean, low, high = (measure.scale * rows[f"{measure.column}_{end}"] for end in ("mean", "low", "high"))
            axes.fill_between(rows[x], low, high, color=look.colour, alpha=0.15, linewidth=0)
            axes.plot(rows[x], mean, ls=look.line_style, **look.marks)
        values = np.unique(np.concatenate([rows[x] for rows, _ in series.values()]))
        axes.set_title(measure.head)
        _scale(axes, x, values)
        if measure.column == "ess":
            axes.plot(values, values if x == "size" else np.full(len(values), middle.size), **REFERENCE)
            _log_y(axes)
    keys = [Line2D([], [], label=name, linestyle=look.line_style, **look.marks) for name, (_, look) in series.items()]
    corner.legend(
        handles=[*keys, Line2D([], [], label="n independent draws", **REFERENCE)], loc="center", handlelength=3
    )
    corner.axis("off")
    return figure


LABELS = {"temperature": "Temperature", "size": "Members n", "delta": "δ"}


def _scale(axes: Axes, x: str, values: Any) -> None:
    """A logarithmic x axis, about 0 linear, with ticks at the values of the study, six at most."""
    values = sorted(values)
    if values[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=min((abs(value) for value in values if value), default=1))
    ticks = values[:: -(-len(values) // 6)]
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(LABELS[x])


def _log_y(axes: Axes) -> None:
    """A logarithmic y axis with as many round ticks as a small panel has room for."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    steps = (1, 2, 3, 5, 7) if high < 10 * low else (1, 3) if high < 300 * low else (1,)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))))
    ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


FIGURES: Mapping[str, tuple[Callable[[pd.DataFrame, Middle], Figure], str]] = {
    "posterior": (
        posterior,
        "The posterior over temperature. Where KL(q‖p) and total variation are low, a product of categoricals stands "
        "for it well; the dashed line is the entropy of the uniform distribution.",
    ),
    "over_temperature": (
        over_temperature,
        "Both samplers over temperature, ensembles of {size}, SVGD-RD with δ = {delta:g} and σ = {sigma:g}. The lower "
        "MMD² and the higher ESS, the better an ensemble stands for q; above the dashed line, better than as many "
        "independent draws do.",
    ),
    "over_delta": (
        over_delta,
        "SVGD-RD over δ at temperature {temperature:g}, ensembles of {size}, a line a σ; Monte Carlo for comparison. "
        "Where the Hamming distance grows at the cost of mean accuracy, δ buys diversity with quality.",
    ),
    "over_size": (
        over_size,
        "Both samplers over the number of members n at temperature {temperature:g}, SVGD-RD with δ = {delta:g} and "
        "σ = {sigma:g}. Independent draws keep to the dashed line ESS = n.",
    ),
}
"""How each figure is drawn and what its caption begins with."""


def drawn(means: pd.DataFrame, middle: Middle, how: str) -> dict[str, Drawn]:
    """Each of `FIGURES`, by name.

    Args:
        means: see `cells.means_of`.
        middle: what is held fixed.
        how: the numbers came about, in plain text.
    """
    values = asdict(middle)
    return {
        name: Drawn(draw(means, middle), caption.format(**values), how) for name, (draw, caption) in FIGURES.items()
    }
