"""NESS's premise, supernet by supernet: does the order by inherited weights agree with that of stand-alone training?

Needs no records: all of it follows from the bank.
"""

from itertools import groupby
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ness_bench.banks.bank import Bank
from ness_bench.banks.ranks import BEST_SHARE, between_seeds, classes_of, rank_correlations, ranks_of, stand_alone
from ness_bench.banks.summary import random_seeds
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.reports.page import Cell, PageTable
from ness_bench.reports.style import STYLE, TEXT_WIDTH
from ness_bench.reports.text import escape, latex_row, latex_table, markdown_table, stacked

MEASURES = {
    "spearman": "ρ of classes",
    "kendall": "τ of classes",
    "best_spearman": f"ρ of best {100 * BEST_SHARE:g} %",
    "best_kendall": f"τ of best {100 * BEST_SHARE:g} %",
    "string_spearman": "ρ of strings",
    "string_kendall": "τ of strings",
}
"""What is measured of a supernet, and its heading."""

HEADS = ["Supernet", "Epochs", *MEASURES.values()]

ENDS = ("mean", "min", "max")

ANOTHER_SEED = "trained again"
"""The last row: how well other stand-alone trainings of the same networks rank them."""

COLUMNS = 4
"""Panels beside each other."""

READ = (
    "A point is a functional class; panels show the first seed of a supernet and its own correlations. Shaded is the "
    "best tenth of the classes; the worst hundredth in either score is off the scale."
)
"""How the figure is read, for its caption."""

OUTSIDE = 0.01
"""The share of networks of lowest accuracy that a panel leaves out, and as many of highest NLL."""


def correlations(bank: Bank) -> pd.DataFrame:
    """How well inherited weights rank the networks of a bank.

    Returns:
        A row a kind and length of supernet, and `ANOTHER_SEED`: the columns kind, epochs and seeds, and of each of
        `MEASURES` the mean, min and max over seeds, called spearman_mean, …. NaN is what could not be measured: of
        `ANOTHER_SEED` all but the means over classes, and these, too, where no random classes have several seeds.
    """
    rows: list[dict[str, Any]] = []
    for (kind, epochs), supernets in groupby(bank.supernets, lambda supernet: (supernet.kind, supernet.epochs)):
        measured = pd.DataFrame([_measured(bank, supernet) for supernet in supernets])
        ends = {f"{name}_{end}": getattr(measured[name], end)() for name in MEASURES for end in ENDS}
        rows.append({"kind": kind, "epochs": epochs, "seeds": len(measured)} | ends)
    accuracies = random_seeds(bank)
    again = between_seeds(accuracies)
    means = {f"{name}_mean": getattr(again, name) for name in MEASURES if hasattr(again, name)}
    rows.append({"kind": ANOTHER_SEED, "epochs": bank.recipe.epochs, "seeds": accuracies.shape[1]} | means)
    return pd.DataFrame(rows)


def _measured(bank: Bank, supernet: StoredSupernet) -> dict[str, float]:
    of = ranks_of(bank, supernet)
    classes, strings = of["classes"], of["strings"]
    return {
        "spearman": classes.spearman,
        "kendall": classes.kendall,
        "best_spearman": classes.best_spearman,
        "best_kendall": classes.best_kendall,
        "string_spearman": strings.spearman,
        "string_kendall": strings.kendall,
    }


def protocol(bank: Bank) -> str:
    """How the numbers of table and figure came about, in plain text."""
    return (
        f"Bank {bank.name} ({bank.manifest.data}): {len(classes_of(bank)):,} functional classes, {bank.space.size:,} "
        "strings. Inherited-weight NLL on val, its sign changed, is held against stand-alone test accuracy (seed 0, "
        f"whole test split); ρ is Spearman's, τ Kendall's (τ-b). The best {100 * BEST_SHARE:g} % of the classes are "
        "the best by that accuracy, whose own noise lowers the correlation among them."
    )


def lesson(table: pd.DataFrame) -> str:
    """What the table says, in plain text."""
    supernets, again = table[table["kind"] != ANOTHER_SEED], table[table["kind"] == ANOTHER_SEED].iloc[0]
    said = [
        f"{row['kind']}, {row['epochs']} epochs: {row['spearman_mean']:.2f} of all classes, "
        f"{row['best_spearman_mean']:.2f} of the best {100 * BEST_SHARE:g} %"
        for row in supernets.to_dict("records")
    ]
    sentence = f"Spearman of inherited-weight NLL with stand-alone test accuracy, means over seeds: {'; '.join(said)}."
    if np.isfinite(again["spearman_mean"]):
        sentence += (
            f" For comparison, stand-alone training with another seed: {again['spearman_mean']:.2f} of random classes, "
            f"{again['best_spearman_mean']:.2f} of the best of these."
        )
    return sentence


def page_table(table: pd.DataFrame, bank: Bank) -> PageTable:
    rows = []
    for row in table.to_dict("records"):
        measured = [Cell(_printed(row, name), _or_none(row[f"{name}_mean"])) for name in MEASURES]
        rows.append([Cell(row["kind"]), Cell(str(row["epochs"]), row["epochs"]), *measured])
    return PageTable("How well inherited weights rank networks", _how(bank), HEADS, rows)


def _or_none(mean: float) -> float | None:
    return None if np.isnan(mean) else mean


def _how(bank: Bank) -> str:
    return (
        f"Rank correlations, means over the seeds of a supernet (of ρ: lowest to highest). {protocol(bank)} "
        f'"{ANOTHER_SEED}" is stand-alone training with another seed, of {len(random_seeds(bank))} classes drawn by '
        "lot, the mean over pairs of seeds."
    )


def texts(table: pd.DataFrame, bank: Bank) -> dict[str, str]:
    """supernets.csv, supernets.md and supernets.tex; see `correlations`."""
    how = _how(bank)
    rows = [
        [row["kind"], str(row["epochs"]), *(_printed(row, name) for name in MEASURES)]
        for row in table.to_dict("records")
    ]
    body = [r"\midrule", *(latex_row(map(escape, row)) for row in rows)]
    of_paper = latex_table(how, "supernets", [stacked(head) for head in HEADS], body)
    return {
        "supernets.csv": table.to_csv(index=False, float_format="%.9g"),
        "supernets.md": "\n".join([how, "", *markdown_table(HEADS, rows)]) + "\n",
        "supernets.tex": "\n".join([r"% needs \usepackage{booktabs}", *of_paper]),
    }


def _printed(row: dict[Any, Any], name: str) -> str:
    mean, low, high = (row[f"{name}_{end}"] for end in ENDS)
    if np.isnan(mean):
        return "–"
    return f"{mean:.2f}" if np.isnan(low) or "kendall" in name else f"{mean:.2f} ({low:.2f} to {high:.2f})"


@mpl.rc_context(STYLE)
def rank_correlation(bank: Bank) -> Figure:
    """Stand-alone test accuracy over inherited-weight NLL of every class, a panel a kind and length (first seed)."""
    classes = classes_of(bank)
    accuracy = stand_alone(bank, classes)
    groups = groupby(bank.supernets, lambda supernet: (supernet.kind, supernet.epochs))
    first = [next(supernets) for _, supernets in groups]
    rows = -(-len(first) // COLUMNS)
    figure = Figure(figsize=(TEXT_WIDTH, 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, min(COLUMNS, len(first)), sharey=True, squeeze=False)
    lowest = 100 * np.quantile(accuracy, OUTSIDE)
    for axes, supernet in zip(grid.flat, first, strict=False):
        nll = supernet.nll[supernet.rows(classes)]
        found = rank_correlations(accuracy, nll)
        axes.axhspan(100 * np.quantile(accuracy, 1 - BEST_SHARE), 101, color="0.88", linewidth=0, zorder=0)
        axes.scatter(nll, 100 * accuracy, s=1.5, color="black", alpha=0.25, linewidths=0, rasterized=True)
        axes.set_xlim(nll.min() - 0.02 * np.ptp(nll), np.quantile(nll, 1 - OUTSIDE) + 0.02 * np.ptp(nll))
        axes.set_ylim(lowest, 100 * accuracy.max() + 0.05 * (100 * accuracy.max() - lowest))
        note = (
            f"ρ = {found.spearman:.2f}, best: {found.best_spearman:.2f}\n"
            f"τ = {found.kendall:.2f}, best: {found.best_kendall:.2f}"
        )
        backdrop = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
        axes.text(0.05, 0.06, note, size=6.5, transform=axes.transAxes, bbox=backdrop)
        axes.set_title(f"{supernet.kind}, {supernet.epochs} epochs")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=(1, 2, 5, 10)))
        axes.set_xlabel("Inherited NLL")
    for axes in grid.flat[len(first) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("Test accuracy (%)")
    return figure
