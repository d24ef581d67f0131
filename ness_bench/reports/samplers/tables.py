"""The tables of a study of samplers: a CSV of all cells for machines, Markdown of what a person reads first."""

from pathlib import Path
from typing import Any

import pandas as pd

from ness_bench.reports.samplers.cells import OF_DRAWS, OF_POSTERIOR, TITLES, Measure, Middle
from ness_bench.reports.text import markdown_table, write_texts

POSTERIOR_HEADS = ["Temperature", *(measure.head for measure in OF_POSTERIOR)]


def write_tables(means: pd.DataFrame, middle: Middle, how: str, folder: Path) -> list[Path]:
    """Write samplers.csv and samplers.md into `folder` and return them.

    Args:
        means: see `cells.means_of`; the CSV holds them in the units of the records.
        middle: whose δ and σ the Markdown shows.
        how: the numbers came about, in plain text.
        folder: made if it is not there.
    """
    csv = means.to_csv(index=False, float_format="%.9g")
    return write_texts({"samplers.csv": csv, "samplers.md": markdown(means, middle, how)}, folder)


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
