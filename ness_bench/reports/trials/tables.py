"""The comparison table of a study of trials: CSV for machines, Markdown to read, LaTeX (booktabs) for a paper."""

import numpy as np
import pandas as pd

from ness_bench.reports.page import Cell, PageTable
from ness_bench.reports.text import escape, latex_row, latex_table, markdown_table
from ness_bench.reports.trials.captions import TITLES, Context
from ness_bench.statistics.bootstrap import bootstrap_interval

BEST = "best in the table"
"""The last row: of every data set the best score there is, each of its own network."""

NOTE = "Bold is the best mean."

_NEW_LINE = r"\\"


def texts(table: pd.DataFrame, context: Context) -> dict[str, str]:
    """comparison.csv, comparison.md and comparison.tex.

    Args:
        table: see `comparison`.
        context: what records do not say.
    """
    return {
        "comparison.csv": table.to_csv(index=False, float_format="%.9g"),
        "comparison.md": markdown(table, context),
        "comparison.tex": latex(table, context),
    }


def comparison(records: pd.DataFrame, context: Context) -> pd.DataFrame:
    """One row a method, and `BEST`; accuracies are shares.

    Args:
        records: one row a run, with the columns method, seed, one a scored data set, trials and seconds.
        context: what records do not say.

    Returns:
        Columns: method, repetitions; DATASET_mean and DATASET_std of each scored data set; low and high, the interval
        of the mean of the searched one; published_mean, published_std and verdict, where it is compared; trials and
        seconds, means.
    """
    rows = []
    for method, runs in records.groupby("method", sort=False):
        row: dict[str, object] = {"method": method, "repetitions": len(runs)}
        for dataset in context.scored:
            row |= {f"{dataset}_mean": runs[dataset].mean(), f"{dataset}_std": np.std(runs[dataset])}
        row |= zip(("low", "high"), bootstrap_interval(runs[context.searched]), strict=True)
        published = context.published.get(str(method))
        if published is not None:
            row["published_mean"], row["published_std"] = published.mean / 100, published.std / 100
            row["verdict"] = "inside" if published.holds(100 * runs[context.searched].mean()) else "outside"
        rows.append(row | {"trials": runs["trials"].mean(), "seconds": runs["seconds"].mean()})
    rows.append({"method": BEST} | {f"{dataset}_mean": context.best(dataset) for dataset in context.scored})
    return pd.DataFrame(rows)


def printed(table: pd.DataFrame, context: Context) -> tuple[list[str], list[list[Cell]]]:
    """Headings, and the cells of each row; accuracies in percent. The best means have rank 1."""
    columns = {"Method": [Cell(method) for method in table["method"]]}
    for dataset in context.scored:
        columns[f"{context.title(dataset)} (%)"] = _means(table[f"{dataset}_mean"], table[f"{dataset}_std"])
        if dataset == context.searched:
            columns["Interval (%)"] = _pairs(table["low"], table["high"], " to ")
            if context.published:
                columns["Published (%)"] = _pairs(table["published_mean"], table["published_std"], " ± ")
                columns["Verdict"] = [Cell(verdict, verdict) for verdict in table["verdict"].fillna("–")]
    columns["Trials"] = [_number(mean, ".1f") for mean in table["trials"]]
    columns["Time (s)"] = [_number(mean, ",.0f") for mean in table["seconds"]]
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _means(means: "pd.Series[float]", stds: "pd.Series[float]") -> list[Cell]:
    """Mean ± standard deviation; the last row, `BEST`, has a mean only. Means of equal digits are equally good."""
    percent = [f"{100 * mean:.2f}" for mean in means]
    best = max(percent[:-1], key=float)
    cells = [
        Cell(f"{mean} ± {100 * std:.2f}", float(mean), int(mean == best))
        for mean, std in zip(percent[:-1], stds[:-1], strict=True)
    ]
    return [*cells, Cell(percent[-1], float(percent[-1]))]


def _pairs(first: "pd.Series[float]", second: "pd.Series[float]", between: str) -> list[Cell]:
    return [
        Cell("–") if np.isnan(a) else Cell(f"{100 * a:.2f}{between}{100 * b:.2f}", 100 * a)
        for a, b in zip(first, second, strict=True)
    ]


def _number(mean: float, form: str) -> Cell:
    return Cell("–") if np.isnan(mean) else Cell(f"{mean:{form}}", mean)


def page_table(table: pd.DataFrame, context: Context) -> PageTable:
    heads, rows = printed(table, context)
    note = f"± is the standard deviation over repetitions. {NOTE}"
    return PageTable(f"Searched on {TITLES[context.searched]}", note, heads, rows)


def markdown(table: pd.DataFrame, context: Context) -> str:
    heads, rows = printed(table, context)
    texts = [[f"**{cell.text}**" if cell.rank == 1 else cell.text for cell in row] for row in rows]
    return "\n".join([f"{context.how} {NOTE}", "", *markdown_table(heads, texts)]) + "\n"


def latex(table: pd.DataFrame, context: Context) -> str:
    heads, rows = printed(table, context)
    lines = [latex_row(map(_latex_cell, row)) for row in rows]
    body = [r"\midrule", *lines[:-1], r"\midrule", lines[-1]]
    of_table = latex_table(f"{context.how} {NOTE}", "comparison", [_stacked(head) for head in heads], body)
    return "\n".join([r"% needs \usepackage{booktabs}", *of_table])


def _latex_cell(cell: Cell) -> str:
    mean, _, std = cell.text.partition(" ± ")
    text = rf"\textbf{{{escape(mean)}}}" if cell.rank == 1 else escape(mean)
    return rf"{text}\,{{\tiny$\pm${std}}}" if std else text


def _stacked(head: str) -> str:
    """A heading with a line a word, and two for ImageNet16-120, which else would be the widest."""
    words = head.replace("Net16", "Net 16").split()
    return rf"\shortstack[r]{{{_NEW_LINE.join(map(escape, words))}}}" if words[1:] else escape(head)
