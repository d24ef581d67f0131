"""The figures of a study of trials: what a search has found by when, and how much repetitions differ."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from ness_bench.reports.style import REFERENCE, STYLE, TEXT_WIDTH, Drawn, Look, legend, looks
from ness_bench.reports.trials.captions import Context
from ness_bench.reports.trials.tables import BEST
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.trials import MOMENTS


def _hollow(look: Look) -> dict[str, Any]:
    """How a published number is drawn: like the method's own, but hollow."""
    return look.marks | {"markerfacecolor": "white", "markeredgecolor": look.colour, "markeredgewidth": 0.9}


@mpl.rc_context(STYLE)
def score_over_seconds(records: pd.DataFrame, context: Context) -> Figure:
    """Mean score of the best network so far over the seconds spent, in percent; beyond the budget what is published.

    A mean begins at the moment by which every repetition has a network. The y axis begins where the worst method
    is after a sixth of the budget: what comes before is the same random draws for all.
    """
    figure = Figure(figsize=(TEXT_WIDTH, 3), layout="constrained")
    axes = figure.subplots()
    styles = looks(records["method"].unique())
    moments = np.linspace(0, context.seconds, MOMENTS + 1)[1:]
    lowest = [number.mean - number.std for number in context.published.values()]
    for place, (method, look) in enumerate(styles.items()):
        progress = 100 * np.array(records[records["method"] == method]["progress"].tolist(), np.float64)
        begun = np.isfinite(progress).all(0)
        low, high = bootstrap_interval(progress[:, begun])
        axes.fill_between(moments[begun], low, high, color=look.colour, alpha=0.15, linewidth=0)
        markers = (2 * place, 12)  # staggered
        axes.plot(moments[begun], progress[:, begun].mean(0), ls=look.line_style, markevery=markers, **look.marks)
        lowest.append(low[moments[begun] >= context.seconds / 6][0])
    for place, (method, number) in enumerate(context.published.items(), 1):
        axes.errorbar(
            context.seconds * (1 + 0.03 * place), number.mean, number.std, elinewidth=0.9, **_hollow(styles[method])
        )
    best, worst = 100 * context.best(context.searched), min(lowest)
    axes.axhline(best, **REFERENCE)
    axes.set_xlim(0, context.seconds * (1.02 + 0.03 * len(context.published)))
    axes.set_ylim(worst - 0.03 * (best - worst), best + 0.06 * (best - worst))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("Simulated seconds")
    axes.set_ylabel(f"{context.title(context.searched)} accuracy (%)")
    legend(figure, styles, lines=True, more=_keys(context))
    return figure


@mpl.rc_context(STYLE)
def final_scores(records: pd.DataFrame, context: Context) -> Figure:
    """Final scores in percent, a panel a data set and a row a method: of repetitions, their mean, what is published."""
    styles = looks(records["method"].unique())
    figure = Figure(figsize=(TEXT_WIDTH, 0.9 + 0.36 * len(styles)), layout="constrained")
    panels = figure.subplots(1, len(context.scored), sharey=True, squeeze=False)[0]
    jitter = np.random.default_rng(0)
    for axes, dataset in zip(panels, context.scored, strict=True):
        for row, (method, look) in enumerate(styles.items()):
            scores = 100 * records[records["method"] == method][dataset].to_numpy()
            heights = row - jitter.uniform(0, 0.35, len(scores))
            axes.scatter(scores, heights, s=5, color=look.colour, alpha=0.3, linewidths=0)
            axes.errorbar(scores.mean(), row + 0.15, xerr=scores.std(), elinewidth=0.9, **look.marks)
            if method in context.published and dataset == context.searched:
                number = context.published[method]
                axes.errorbar(number.mean, row + 0.4, xerr=number.std, elinewidth=0.9, **_hollow(look))
        axes.axvline(100 * context.best(dataset), **REFERENCE)
        axes.set_title(context.title(dataset))
        axes.set_xlabel("Accuracy (%)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(styles)), styles)
    panels[0].set_ylim(len(styles) - 0.4, -0.5)  # first method on top
    legend(figure, {}, lines=True, more=[_key("mean ± std", Look("0.3", "o", "").marks), *_keys(context)])
    return figure


def _key(label: str, marks: dict[str, Any]) -> Line2D:
    return Line2D([], [], label=label, **{"linestyle": "", **marks})


def _keys(context: Context) -> list[Line2D]:
    """Legend of what is no method of the study."""
    published = [_key("published mean ± std", _hollow(Look("0.3", "o", "")))] if context.published else []
    return [*published, _key(BEST, REFERENCE)]


FIGURES: Mapping[str, tuple[Callable[[pd.DataFrame, Context], Figure], str]] = {
    "score_over_seconds": (
        score_over_seconds,
        "Score of the best network so far, by what the search saw, over simulated seconds: mean over repetitions with "
        "its 95 % interval; a trial that ends beyond the budget counts in the table only. Hollow marks, if any, are "
        "published means with their standard deviations.",
    ),
    "final_scores": (
        final_scores,
        "Scores of the networks that searches ended on. Pale points are repetitions, filled marks their mean with its "
        "standard deviation; hollow marks, if any, are published.",
    ),
}
"""How each figure is drawn and what its caption begins with."""


def drawn(records: pd.DataFrame, context: Context) -> dict[str, Drawn]:
    """Each of `FIGURES`, by name.

    Args:
        records: one row a run, with the columns method, seed, one a scored data set, and progress.
        context: what records do not say.
    """
    return {name: Drawn(draw(records, context), caption, context.how) for name, (draw, caption) in FIGURES.items()}
