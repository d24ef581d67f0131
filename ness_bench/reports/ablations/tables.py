"""The tables of an ablation study, each as CSV for machines, Markdown to read, LaTeX (booktabs) for a paper.

`ablations` has a row a factor, method and value; `samplers` has the methods beside each other, by ensemble size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ness_bench.reports import page
from ness_bench.reports.ablations.captions import Context, protocol, shown, title
from ness_bench.reports.ablations.cells import REFERENCE
from ness_bench.reports.page import PageTable
from ness_bench.reports.text import ends, escape, latex_row, latex_table, markdown_table, number, stacked

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Cell:
    """As printed: a number, and its interval in small.

    Attributes:
        value: what it is sorted by.
        spread: half its width after a ±, or its two ends in brackets.
    """

    text: str
    value: float | str | None
    spread: str = ""

    @property
    def whole(self) -> str:
        return f"{self.text} {self.spread}".strip()


@dataclass(frozen=True)
class Column:
    """A heading, and what stands below it."""

    head: str
    cell: Callable[[Row], Cell]


def _nll(row: Row) -> Cell:
    return Cell(f"{row['nll_mean']:.4f}", row["nll_mean"], f"± {(row['nll_high'] - row['nll_low']) / 2:.4f}")


def _mean(metric: str, digits: int, scale: int = 1) -> Callable[[Row], Cell]:
    return lambda row: Cell(f"{scale * row[f'{metric}_mean']:.{digits}f}", scale * row[f"{metric}_mean"])


def _difference(row: Row) -> Cell:
    if row["verdict"] == REFERENCE:
        return Cell("–", None)
    mean, low, high = (1000 * row[f"difference{end}"] for end in ("", "_low", "_high"))
    return Cell(number(mean, 1, signed=True), row["difference"], ends(low, high, 1, signed=True))


NLL = Column("NLL ↓", _nll)
DIFFERENCE = Column("Difference of NLL × 1000", _difference)
REGRET = Column("Regret", _mean("regret", 4))
ACCURACY = Column("Acc. (%) ↑", _mean("accuracy", 2, 100))
DISTINCT = Column("Classes", _mean("distinct", 1))
DISAGREEMENT = Column("Disagr. (%)", _mean("disagreement", 1, 100))
COST = Column("Cost (TE)", _mean("cost", 1))
VERDICT = Column("Verdict", lambda row: Cell(row["verdict"], row["verdict"]))

OF_ABLATIONS = (NLL, DIFFERENCE, REGRET, ACCURACY, DISTINCT, DISAGREEMENT, COST)
OF_ABLATIONS_ON_PAGE = (NLL, DIFFERENCE, VERDICT, REGRET, ACCURACY, DISTINCT, DISAGREEMENT, COST)
OF_SAMPLERS = (NLL, REGRET, DIFFERENCE, VERDICT, ACCURACY, DISTINCT, DISAGREEMENT, COST)


SPREAD = "± is half the width of an interval."


@dataclass(frozen=True)
class Block:
    """A table of its own in Markdown and LaTeX.

    Attributes:
        label: what LaTeX refers to it by.
        title: plain text.
        head: of the first column.
        columns: the others.
        groups: rows by the name of the part of the table that they stand in.
        first: what stands in the first column.
    """

    label: str
    title: str
    head: str
    columns: tuple[Column, ...]
    groups: Mapping[str, list[Row]]
    first: Callable[[Row], str]


def texts(factors: pd.DataFrame, samplers: pd.DataFrame, context: Context) -> dict[str, str]:
    """ablations and samplers, as .csv, .md and .tex.

    Args:
        factors: see `cells.factor_cells`.
        samplers: see `cells.sampler_cells`.
        context: for the captions.
    """
    how, against, named = f"{protocol(context)} {SPREAD}", against_of(context), {}
    blocks = {"ablations": factor_blocks(factors), "samplers": sampler_blocks(samplers)}
    for (name, of_table), cells in zip(blocks.items(), (factors, samplers), strict=True):
        listed = list(of_table)
        named[f"{name}.csv"] = cells.to_csv(index=False, float_format="%.9g")
        named[f"{name}.md"] = markdown(listed, f"{against[name]} {how}")
        named[f"{name}.tex"] = latex(listed, f"{against[name]} {how}")
    return named


def against_of(context: Context) -> dict[str, str]:
    """What the differences of each table are to."""
    return {
        "ablations": "Differences are to the reference.",
        "samplers": f"Differences are to {context.base}: better or worse where their interval leaves out 0.",
    }


def page_tables(factors: pd.DataFrame, samplers: pd.DataFrame, context: Context) -> list[PageTable]:
    """The methods beside each other, then all values of all factors."""
    against = against_of(context)
    beside = [
        [page.Cell(row["method"]), page.Cell(str(row["size"]), row["size"]), *_on_page(row, OF_SAMPLERS)]
        for row in _rows(samplers)
    ]
    changed = [
        [
            page.Cell(_value(row), row["value"]),
            *(page.Cell(text, text) for text in (title(row["factor"]), row["method"])),
            *_on_page(row, OF_ABLATIONS_ON_PAGE),
        ]
        for row in _rows(factors)
    ]
    return [
        PageTable(
            "The samplers beside each other",
            f"{against['samplers']} {SPREAD}",
            ["Method", "Size", *(column.head for column in OF_SAMPLERS)],
            beside,
            ["Size"],
        ),
        PageTable(
            "What each choice changes",
            f"{against['ablations']} {SPREAD}",
            ["Value", "Factor", "Method", *(column.head for column in OF_ABLATIONS_ON_PAGE)],
            changed,
            ["Factor", "Method"],
        ),
    ]


def factor_blocks(factors: pd.DataFrame) -> Iterator[Block]:
    """A block a factor, a group a method, a row a value."""
    for factor, cells in factors.groupby("factor", sort=False):
        groups = {str(method): _rows(rows) for method, rows in cells.groupby("method", sort=False)}
        name = title(str(factor))
        yield Block(f"ablation-{factor}", name, "Value", OF_ABLATIONS, groups, _value)


def sampler_blocks(samplers: pd.DataFrame) -> Iterator[Block]:
    """One block, a group an ensemble size, a row a method."""
    groups = {}
    for size, cells in samplers.groupby("size"):
        optimum, proof = cells["optimum"].iloc[0], cells["proof"].iloc[0]
        groups[f"Ensembles of {size}; best in the bank {optimum:.4f} ({proof})"] = _rows(cells)
    yield Block("samplers", "The samplers beside each other", "Method", OF_SAMPLERS, groups, lambda row: row["method"])


def markdown(blocks: list[Block], how: str) -> str:
    """The blocks below each other; the name of a group, in bold, stands in a line above its rows."""
    lines = [how]
    for block in blocks:
        rows = []
        for name, of_group in block.groups.items():
            rows.append([f"**{name}**", *[""] * len(block.columns)])
            for row in of_group:
                rows.append([block.first(row), *(column.cell(row).whole for column in block.columns)])
        heads = [block.head, *(column.head for column in block.columns)]
        lines += ["", f"### {block.title}", "", *markdown_table(heads, rows)]
    return "\n".join(lines) + "\n"


def latex(blocks: list[Block], how: str) -> str:
    """A table a block."""
    lines = [r"% needs \usepackage{booktabs}"]
    for block in blocks:
        body = []
        for name, rows in block.groups.items():
            above = rf"\multicolumn{{{len(block.columns) + 1}}}{{@{{}}l}}{{\emph{{{escape(name)}}}}} \\"
            body += [r"\midrule", above]
            for row in rows:
                cells = [_latex_cell(column.cell(row)) for column in block.columns]
                body.append(latex_row([escape(block.first(row)), *cells]))
        heads = [block.head, *(stacked(column.head) for column in block.columns)]
        lines += latex_table(f"{block.title}. {how}", block.label, heads, body)
    return "\n".join(lines)


def _on_page(row: Row, columns: Sequence[Column]) -> list[page.Cell]:
    cells = (column.cell(row) for column in columns)
    return [page.Cell(cell.whole, cell.value) for cell in cells]


def _rows(cells: pd.DataFrame) -> list[Row]:
    return list(cells.to_dict("records"))


def _value(row: Row) -> str:
    return shown(row["factor"], row["value"]) + (" (ref.)" if row["is_reference"] else "")


def _latex_cell(cell: Cell) -> str:
    text = escape(cell.text)
    return rf"{text}\,{{\tiny {escape(cell.spread)}}}" if cell.spread else text
