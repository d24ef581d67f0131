"""What a report leaves behind."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


@dataclass(frozen=True)
class Written:
    """A report.

    Attributes:
        files: the tables and figures on disk.
        shown: what of the tables fits a terminal of 80 columns.
        note: a sentence that stands below them.
    """

    files: list[Path]
    shown: list[Table]
    note: str
