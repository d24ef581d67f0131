"""The comparison table on a terminal: what of it fits 80 columns."""

import pandas as pd
from rich.markup import escape
from rich.table import Table

from ness_bench.reports import text
from ness_bench.reports.trials import tables
from ness_bench.reports.trials.captions import TITLES, Context

LEFT_OUT = ("Interval (%)", "Trials", "Time (s)")


def comparison(means: pd.DataFrame, context: Context) -> Table:
    """Mean ± standard deviation of each method; only means on the data sets that were not searched on.

    Args:
        means: see `tables.comparison`.
        context: what records do not say.

    Headings have a line a word, and three for ImageNet16-120, which else would be the widest.
    """
    heads, rows = tables.printed(means, context)
    others = [f"{context.title(dataset)} (%)" for dataset in context.scored if dataset != context.searched]
    kept = [place for place, head in enumerate(heads) if head not in LEFT_OUT]
    narrow = [heads[place].removesuffix(" (%)").replace(" ", "\n").replace("Net16-", "-\nNet16-\n") for place in kept]
    table = text.terminal_table(f"Searched on {TITLES[context.searched]}; accuracies in %", narrow)
    for row in rows:
        shown = []
        for place in kept:
            cell = row[place]
            words = cell.text.partition(" ±")[0] if heads[place] in others else cell.text
            shown.append(f"[bold]{escape(words)}[/]" if cell.rank == 1 else escape(words))
        table.add_row(*shown)
    return table
