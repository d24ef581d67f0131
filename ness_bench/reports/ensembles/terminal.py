"""The comparison table on a terminal: what of it fits 80 columns."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table

from ness_bench.reports.ensembles.tables import COLUMNS
from ness_bench.reports.text import terminal_table

WITH_INTERVAL = ("accuracy", "nll")
LEFT_OUT = ("brier", "distinct")


def comparison(csv: Path) -> Iterator[Table]:
    """A table a (size, budget) of comparison.csv; ± is half the width of the interval."""
    shown = [column for column in COLUMNS if column.metric not in LEFT_OUT]
    for (size, budget), block in pd.read_csv(csv).groupby(["size", "budget"]):
        title = f"Ensemble size {size}, budget {budget:g} TE"
        heads = [f"{column.title} {column.better}\n{column.unit}".strip(" ") for column in shown]
        table = terminal_table(title, ["method", *heads])
        best = {
            column.metric: getattr(block[f"{column.metric}_mean"], "max" if column.better == "↑" else "min")()
            for column in shown
            if column.better
        }
        for row in block.to_dict("records"):
            cells = []
            for column in shown:
                mean, low, high = (column.scale * row[f"{column.metric}_{end}"] for end in ("mean", "low", "high"))
                text = f"{np.round(mean, column.digits):.{column.digits}f}"  # as in the files
                if column.metric in WITH_INTERVAL:
                    text += f" ± {(high - low) / 2:.{column.digits}f}"
                cells.append(f"[bold]{text}[/]" if row[f"{column.metric}_mean"] == best.get(column.metric) else text)
            table.add_row(escape(row["method"]), *cells)
        yield table
