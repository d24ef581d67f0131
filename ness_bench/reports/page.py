"""A study as one web page: tables to sort and filter, figures, plan and environment, all in a single file.

The page asks no network for anything, and its own policy forbids it to. All text is escaped by the template; the only
markup that it takes as it is are figures, and those are made by `svg.inline` alone.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

SHORT = 8
"""Rows that are seen at a glance."""

_LABEL_ENDS = re.compile(r"[.:;,]\s|[.:;,]$")
_SPREAD = re.compile(r" (?=[±(])")
_UNIT = re.compile(r" (?=[%↑↓])")


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes:
        text: as printed.
        value: what it is sorted by. Numbers are right-aligned. Without a value, the first column is sorted by its
            text; in others the cell comes last.
        rank: 1 for the best of its block, which is bold, 2 for the second, which is underlined, 0 for all others.
    """

    text: str
    value: float | str | None = None
    rank: int = 0

    @property
    def key(self) -> float | str | None:
        """The value; None if that is not a number."""
        return None if self.value != self.value else self.value


@dataclass(frozen=True)
class PageTable:
    """A table.

    Attributes:
        title: above it.
        note: below the title: how it is read.
        heads: of the columns. The first column is text.
        rows: a cell a head.
        choices: heads of columns with few values, to narrow the table down to one of them.
    """

    title: str
    note: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    choices: Sequence[str] = ()

    def text_columns(self) -> set[int]:
        """The first, and those that hold values that are no numbers."""
        return {0} | {column for row in self.rows for column, cell in enumerate(row) if isinstance(cell.value, str)}

    def is_long(self) -> bool:
        """Whether one would want to narrow it down."""
        return len(self.rows) > SHORT or bool(self.options())

    def options(self) -> dict[str, list[str]]:
        """The distinct texts of each column of `choices`, sorted as its values are, if there is more than one."""
        found = {}
        for head in self.choices:
            column = self.heads.index(head)
            cells = {row[column].text: row[column] for row in self.rows}
            if len(cells) > 1:
                found[head] = sorted(cells, key=lambda text: _order(cells[text]))
        return found


@dataclass(frozen=True)
class PageFigure:
    """A figure.

    Attributes:
        name: of its files in `figures/`.
        caption: plain text.
        svg: see `svg.inline`.
    """

    name: str
    caption: str
    svg: Markup

    @property
    def label(self) -> str:
        """What the caption begins with, for a list of figures."""
        return _LABEL_ENDS.split(self.caption, maxsplit=1)[0]


@dataclass(frozen=True)
class Page:
    """A page, in the order in which it is read.

    Attributes:
        title: name of the study.
        subject: what it is a study of.
        facts: few words each, of its size and origin.
        protocol: how the numbers came about.
        warnings: what a reader must know before believing them.
        tables: see `PageTable`.
        figures: see `PageFigure`.
        environment: versions and machine, by name.
        plan: JSON.
    """

    title: str
    subject: str
    facts: Sequence[str]
    protocol: str
    warnings: Sequence[str]
    tables: Sequence[PageTable]
    figures: Sequence[PageFigure]
    environment: Mapping[str, object]
    plan: str


def render(page: Page) -> str:
    """The page as HTML. The same page gives the same text."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"number": _number, "split": _split, "tied": _tied}
    return templates.get_template("page.html.j2").render(page=page)


def _order(cell: Cell) -> tuple[bool, float, str]:
    """Numbers, then texts; without a value last."""
    if isinstance(cell.key, str):
        return False, math.inf, cell.key
    return cell.key is None, cell.key or 0, cell.text


def _number(key: float | str) -> str:
    """A number in as many digits as tables on disk have; a text as it is."""
    return key if isinstance(key, str) else f"{key:.9g}"


def _split(text: str) -> list[str]:
    """A number, and its interval if it has one."""
    return _SPREAD.split(text, maxsplit=1)


def _tied(text: str) -> str:
    """With no line break before a unit or an arrow."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)
