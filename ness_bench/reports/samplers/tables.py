"""The tables of a study of samplers: a CSV of all cells for machines, Markdown of what a person reads first."""

from typing import Any

import numpy as np
import pandas as pd

from ness_bench.reports.page import Cell, PageTable
from ness_bench.reports.samplers.cells import AXES, OF_DRAWS, OF_POSTERIOR, TITLES, Measure, Middle
from ness_bench.reports.text import markdown_table

POSTERIOR_HEADS = ["Temperature", *(measure.head for measure in OF_POSTERIOR)]


def texts(means: pd.DataFrame, middle: Middle, how: str) -> dict[str, str]:
    """samplers.csv and samplers.md.

    Args:
        means: see `cells.means_of`; the CSV holds them in the units of the records.
        middle: whose δ and σ the Markdown shows.
        how: the numbers came about, in plain text.
    """
    csv = means.to_csv(index=False, float_format="%.9g")
    return {"samplers.csv": csv, "samplers.md": markdown(means, middle, how)}


def markdown(means: pd.DataFrame, middle: Middle, how: str) -> str:
    """The posterior by temperature, then a table of both samplers a temperature."""
    lines = [f"{how} ± is half the width of the interval.", "", "### The posterior", ""]
    lines += markdown_table(POSTERIOR_HEADS, posterior_rows(means))
    for temperature, block in middle.both(means, ["temperature", "size"]).groupby("temperature"):
        title = f"### Temperature {temperature:g}; SVGD-RD with δ = {middle.delta:g}, σ = {middle.sigma:g}"
        rows = [
            [f"{TITLES[row['sampler']]}, n = {row['size']}", *(printed(row, measure) for measure in OF_DRAWS)]
            for row in block.to_dict("records")
        ]
        lines += ["", title, "", *markdown_table(["Sampler", *(measure.head for measure in OF_DRAWS)], rows)]
    return "\n".join(lines) + "\n"


def posterior_rows(means: pd.DataFrame) -> list[list[str]]:
    """`POSTERIOR_HEADS` of each temperature."""
    return [
        [f"{row['temperature']:g}", *(f"{row[f'{of.column}_mean']:.{of.digits}f}" for of in OF_POSTERIOR)]
        for row in means.drop_duplicates("temperature").sort_values("temperature").to_dict("records")
    ]


def printed(row: dict[Any, Any], measure: Measure) -> str:
    """The mean of a measure ± half the width of its interval."""
    mean, low, high = (measure.scale * row[f"{measure.column}_{end}"] for end in ("mean", "low", "high"))
    return f"{mean:.{measure.digits}f} ± {(high - low) / 2:.{measure.digits}f}"


def page_tables(means: pd.DataFrame) -> list[PageTable]:
    """The posterior by temperature, and every cell."""
    posterior = [[Cell(text, float(text)) for text in row] for row in posterior_rows(means)]
    rows = [
        [Cell(TITLES[row["sampler"]]), *(_axis(row[axis]) for axis in AXES), *(_mean(row, of) for of in OF_DRAWS)]
        for row in means.to_dict("records")
    ]
    axes = ["Temperature", "Members n", "δ", "σ"]
    return [
        PageTable("The posterior", "Means over repetitions.", POSTERIOR_HEADS, posterior),
        PageTable(
            "What the samplers draw",
            "± is half the width of the interval. Monte Carlo has neither δ nor σ.",
            ["Sampler", *axes, *(measure.head for measure in OF_DRAWS)],
            rows,
            ["Sampler", *axes],
        ),
    ]


def _axis(value: float) -> Cell:
    return Cell("–") if np.isnan(value) else Cell(f"{value:g}", value)


def _mean(row: dict[Any, Any], measure: Measure) -> Cell:
    return Cell(printed(row, measure), measure.scale * row[f"{measure.column}_mean"])
