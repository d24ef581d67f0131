"""The comparison table of a study: CSV for machines, Markdown to read, LaTeX (booktabs) for a paper.

All three show the mean over repetitions with its 95 % bootstrap interval: the CSV its ends, in the units of
the records; the others half its width after a ±.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ness_bench.reports.ensembles.captions import Context, protocol
from ness_bench.reports.text import escape, latex_row, latex_table, markdown_table, write_texts
from ness_bench.studies.statistics import summarise


@dataclass(frozen=True)
class Column:
    """How a metric is shown.

    Attributes:
        metric: its column in the records.
        title: its heading.
        unit: "%" for shares, which are shown in per cent, "TE", or nothing.
        digits: decimals shown.
        better: "↑" if higher is better, "↓" if lower is, nothing if it is no merit of its own.
    """

    metric: str
    title: str
    unit: str
    digits: int
    better: str

    @property
    def scale(self) -> int:
        return 100 if self.unit == "%" else 1


COLUMNS = (
    Column("accuracy", "Acc.", "%", 2, "↑"),
    Column("nll", "NLL", "", 3, "↓"),
    Column("regret", "Regret", "", 3, "↓"),
    Column("ece", "ECE", "", 4, "↓"),
    Column("brier", "Brier", "", 3, "↓"),
    Column("disagreement", "Disagr.", "%", 1, ""),
    Column("distinct", "Classes", "", 1, ""),
    Column("cost", "Cost", "TE", 1, ""),
)


@dataclass(frozen=True)
class Cell:
    """A mean and half the width of its interval, as printed; rank 1 is the best of its block, 0 is unranked."""

    mean: str
    half_width: str
    rank: int


def write_tables(records: pd.DataFrame, folder: Path, context: Context) -> list[Path]:
    """Write comparison.csv, comparison.md and comparison.tex into `folder`.

    Args:
        records: one row a run, with the columns method, size, budget, seed and those of `COLUMNS`.
        folder: made if it is not there.
        context: for the captions.

    Returns:
        The files written.

    Raises:
        NessBenchError: the records are incomplete.
    """
    summary = summarise(records, [column.metric for column in COLUMNS])
    how = protocol(context)
    tables = {
        "comparison.csv": comparison(summary).to_csv(index=False, float_format="%.9g"),
        "comparison.md": markdown(summary, how),
        "comparison.tex": latex(summary, how),
    }
    return write_texts(tables, folder)


def comparison(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a (size, budget, method), the mean, low and high of each metric in columns beside each other."""
    rows = [
        {"size": size, "budget": budget, "method": method, "repetitions": cell["repetitions"].iloc[0]}
        | {f"{row.metric}_{end}": getattr(row, end) for row in cell.itertuples() for end in ("mean", "low", "high")}
        for (size, budget), block in summary.groupby(["size", "budget"])
        for method, cell in block.groupby("method", sort=False)
    ]
    return pd.DataFrame(rows)


def markdown(summary: pd.DataFrame, how: str) -> str:
    """A table a (size, budget), the best mean of each column in bold."""
    heads = ["Method", *map(_markdown_head, COLUMNS)]
    lines = [how, "", "± is half the width of the interval; bold is the best mean."]
    for (size, budget), block in summary.groupby(["size", "budget"]):
        rows = []
        for method, cells in _cells(block):
            texts = [f"{cell.mean} ± {cell.half_width}" for cell in cells]
            bold = [f"**{text}**" if cell.rank == 1 else text for text, cell in zip(texts, cells, strict=True)]
            rows.append([method, *bold])
        lines += ["", f"### Ensemble size {size}, budget {budget:g} TE", "", *markdown_table(heads, rows)]
    return "\n".join(lines) + "\n"


def latex(summary: pd.DataFrame, how: str) -> str:
    """A table a size, the budgets below each other; the best mean in bold, the second underlined."""
    heads = ["Method", *map(_latex_head, COLUMNS)]
    lines = [r"% needs \usepackage{booktabs}"]
    for size, table in summary.groupby("size"):
        caption = (
            f"Ensemble size {size}. {how} ± is half the width of the interval; "
            "bold is the best mean of a budget, underlined the second best."
        )
        body = []
        for budget, block in table.groupby("budget"):
            body += [r"\midrule", rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}{{\emph{{Budget {budget:g} TE}}}} \\"]
            for method, cells in _cells(block):
                body.append(latex_row([escape(method), *map(_latex_cell, cells)]))
        lines += latex_table(caption, f"comparison-{size}", heads, body)
    return "\n".join(lines)


def _markdown_head(column: Column) -> str:
    unit = f"({column.unit})" if column.unit else ""
    return " ".join(filter(None, [column.title, unit, column.better]))


def _latex_head(column: Column) -> str:
    arrow = {"↑": r" $\uparrow$", "↓": r" $\downarrow$", "": ""}[column.better]
    unit = rf"\\({escape(column.unit)})" if column.unit else ""
    return rf"\shortstack[r]{{{escape(column.title)}{arrow}{unit}}}"


def _latex_cell(cell: Cell) -> str:
    mean = {1: rf"\textbf{{{cell.mean}}}", 2: rf"\underline{{{cell.mean}}}"}.get(cell.rank, cell.mean)
    return rf"{mean}{{\tiny$\pm${cell.half_width}}}"


def _cells(block: pd.DataFrame) -> Iterator[tuple[str, list[Cell]]]:
    """(method, its cells in the order of `COLUMNS`) for each method of one size and budget.

    Means are ranked as printed: equal digits share a rank.
    """
    columns = []
    for column in COLUMNS:
        shown = block[block["metric"] == column.metric]
        means = (shown["mean"] * column.scale).round(column.digits)
        half_widths = (shown["high"] - shown["low"]) / 2 * column.scale
        ranks = means.rank(method="dense", ascending=column.better == "↓") if column.better else 0 * means
        columns.append(
            [
                Cell(f"{mean:.{column.digits}f}", f"{half_width:.{column.digits}f}", int(rank))
                for mean, half_width, rank in zip(means, half_widths, ranks, strict=True)
            ]
        )
    for method, *cells in zip(block["method"].unique(), *columns, strict=True):
        yield method, cells
