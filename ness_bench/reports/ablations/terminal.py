"""What of the report fits a terminal of 80 columns: the samplers beside each other, and what each factor teaches."""

from collections.abc import Iterable, Iterator

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from ness_bench.reports.ablations.tables import DIFFERENCE, NLL, REGRET, VERDICT, sampler_blocks
from ness_bench.reports.text import terminal_table

HEADS = ["method", "NLL ↓", "regret", "difference × 1000", "verdict"]


def comparison(samplers: pd.DataFrame) -> Iterator[Table]:
    """A table an ensemble size, with the interval of the difference only; see `cells.sampler_cells`."""
    for block in sampler_blocks(samplers):
        for title, rows in block.groups.items():
            table = terminal_table(escape(title), HEADS)
            for row in rows:
                table.add_row(
                    escape(block.first(row)),
                    *(column.cell(row).text for column in (NLL, REGRET)),
                    DIFFERENCE.cell(row).whole,
                    VERDICT.cell(row).text,
                )
            yield table


def lessons(sentences: Iterable[str]) -> Table:
    """What each factor teaches, below each other."""
    table = Table(
        title="What each factor changes in test NLL", title_justify="left", box=SIMPLE_HEAD, pad_edge=False,
        show_header=False, show_lines=True,
    )  # fmt: skip
    table.add_column()
    for sentence in sentences:
        table.add_row(escape(sentence))
    return table
