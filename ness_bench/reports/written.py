"""What a kind of study makes of its records, and what a report leaves behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from ness_bench.reports.page import PageTable
from ness_bench.reports.style import Drawn

ENOUGH = 20
"""Repetitions that a claim should rest on."""


@dataclass(frozen=True)
class Findings:
    """A report before it is written; what the plan asks for of it is written by `report.write_report`.

    Attributes:
        subject: what the study is of, for the top of its page.
        protocol: how the numbers came about, in plain text.
        warnings: what a reader must know before believing them; see `few_repetitions`.
        texts: the files in `tables/`, by name.
        figures: by name.
        page_tables: the tables of the page.
        shown: what of the tables fits a terminal of 80 columns.
        note: a sentence that stands below them.
    """

    subject: str
    protocol: str
    warnings: Sequence[str]
    texts: Mapping[str, str]
    figures: Mapping[str, Drawn]
    page_tables: Sequence[PageTable]
    shown: list[Table]
    note: str


@dataclass(frozen=True)
class Written:
    """A report on disk.

    Attributes:
        files: tables, figures and page.
        shown: see `Findings`.
        note: see `Findings`.
    """

    files: list[Path]
    shown: list[Table]
    note: str


def few_repetitions(repetitions: int) -> list[str]:
    """A warning, if there are fewer than `ENOUGH`."""
    if repetitions >= ENOUGH:
        return []
    return [
        f"Only {repetitions} repetition{'' if repetitions == 1 else 's'}: no claim should rest on fewer than {ENOUGH}."
    ]
