"""The tables on a terminal of 80 columns: the posterior, and both samplers at the middle size."""

from collections.abc import Iterator

import pandas as pd
from rich.table import Table

from ness_bench.reports.samplers.cells import OF_DRAWS, TITLES, Middle
from ness_bench.reports.samplers.tables import POSTERIOR_HEADS, posterior_rows, printed
from ness_bench.reports.text import terminal_table


def tables(means: pd.DataFrame, middle: Middle) -> Iterator[Table]:
    """Of the samplers the means only."""
    posterior = terminal_table("The posterior", POSTERIOR_HEADS)
    for row in posterior_rows(means):
        posterior.add_row(*row)
    yield posterior
    title = f"Ensembles of {middle.size}; SVGD-RD with δ = {middle.delta:g}, σ = {middle.sigma:g}"
    samplers = terminal_table(title, ["T", "sampler", *(measure.head.replace(" ", "\n") for measure in OF_DRAWS)])
    for cell in middle.both(means, ["temperature"]).to_dict("records"):
        shown = (printed(cell, measure).partition(" ±")[0] for measure in OF_DRAWS)
        samplers.add_row(f"{cell['temperature']:g}", TITLES[cell["sampler"]], *shown)
    yield samplers
