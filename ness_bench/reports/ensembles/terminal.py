"""What of the tables a terminal shows."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from ness_bench.reports.ensembles.differences import POOLED
from ness_bench.reports.ensembles.tables import Tabled


def shown(found: Mapping[str, Tabled]) -> Iterator[Table]:
    """The comparison by size and budget; over all of them the differences to the reference, and the ranks."""
    yield from found["comparison"].shown.on_terminal()
    if "differences" in found:
        yield from found["differences"].shown.part(POOLED).on_terminal()
        yield from found["ranks"].shown.on_terminal()
