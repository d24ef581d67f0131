"""A table whose rows stand in groups, such as one a size and budget: in Markdown, LaTeX, on a page, on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.markup import escape as plain
from rich.table import Table

from ness_bench.reports import page
from ness_bench.reports.text import below_each_other, escape, latex_row, latex_table, markdown_table, terminal_table

MOST_LINES = 54
"""Of a table in LaTeX, so that it fits a page with its caption."""

TERMINAL = 80
"""Columns."""


@dataclass(frozen=True)
class Head:
    """A heading.

    Attributes:
        title: what the column shows, with ↑ or ↓ where higher or lower is better.
        unit: of the numbers below, if any.
        on_terminal: whether a terminal, which has room for few columns, shows it; "brief", without spread.
    """

    title: str
    unit: str = ""
    on_terminal: bool | str = True

    @property
    def in_line(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Cell:
    """As printed: a number, and its interval in small.

    Attributes:
        text: the number.
        spread: half the width of its interval after a ±, or the two ends in brackets.
        value: what a page sorts by.
        rank: 1 is bold, 2 underlined; 0 is neither.
    """

    text: str
    spread: str = ""
    value: float | str | None = None
    rank: int = 0

    @property
    def whole(self) -> str:
        return f"{self.text} {self.spread}".strip()


@dataclass(frozen=True)
class Group:
    """Rows that stand together.

    Attributes:
        part: of the table, that the group belongs to; LaTeX has a table of its own for each.
        title: what distinguishes the group within its part, if anything.
        keys: on a page, where all groups stand in one table, the columns that say so.
        rows: of each, what stands in the first column, and a cell for each other one.
    """

    part: str
    title: str
    keys: Mapping[str, Cell]
    rows: Sequence[tuple[str, Sequence[Cell]]]

    @property
    def name(self) -> str:
        return ", ".join(filter(None, [self.part, self.title[:1].lower() + self.title[1:]]))


@dataclass(frozen=True)
class Grouped:
    """A table.

    Attributes:
        label: what LaTeX refers to it by.
        title: plain text, above it.
        note: plain text, below it: how it is read.
        first: heading of the first column.
        heads: of the others.
        groups: of rows.
    """

    label: str
    title: str
    note: str
    first: str
    heads: Sequence[Head]
    groups: Sequence[Group]

    def part(self, name: str) -> "Grouped":
        """The same table with the groups of one part only."""
        return replace(self, groups=[group for group in self.groups if group.part == name])

    def markdown(self, how: str) -> str:
        """Groups below each other, then how the table is read and how its numbers came about."""
        heads = [self.first, *(head.in_line for head in self.heads)]
        lines = [f"## {self.title}"]
        for group in self.groups:
            rows = [[first, *map(_markdown_cell, cells)] for first, cells in group.rows]
            lines += ["", *([f"### {group.name}", ""] if group.name else []), *markdown_table(heads, rows)]
        return "\n".join([*lines, "", self.note, "", how]) + "\n"

    def latex(self, how: str) -> str:
        """A table a part, or several where one would not fit a page."""
        heads = [self.first, *map(_latex_head, self.heads)]
        lines = ["% needs \\usepackage{booktabs,graphicx}; what is too wide for a line is made smaller"]
        before = ""
        for place, (part, groups) in enumerate(self._pages()):
            named = _joined(self.title, part) + (", continued" if part == before and place else "")
            before = part
            body = []
            for group in groups:
                body.append(r"\midrule")
                if group.title:
                    body.append(rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}{{\emph{{{escape(group.title)}}}}} \\")
                body += [latex_row([escape(first), *map(_latex_cell, cells)]) for first, cells in group.rows]
            label = f"{self.label}-{place + 1}" if place else self.label
            lines += latex_table(f"{named}. {self.note} {how}", label, heads, body, fitted=True)
        return "\n".join(lines)

    def on_page(self) -> page.PageTable:
        """All groups in one table, to be narrowed down to one of them."""
        keys = list(self.groups[0].keys) if self.groups else []
        rows = [
            [page.Cell(first), *map(_page_cell, group.keys.values()), *map(_page_cell, cells)]
            for group in self.groups
            for first, cells in group.rows
        ]
        heads = [self.first, *keys, *(head.in_line for head in self.heads)]
        return page.PageTable(self.title, self.note, heads, rows, keys)

    def on_terminal(self) -> Iterator[Table]:
        """A table a group; where it would be too wide, without spreads, and then without the last columns."""
        heads = [(place, head.on_terminal == "brief") for place, head in enumerate(self.heads) if head.on_terminal]
        if self._width(heads) > TERMINAL:
            heads = [(place, True) for place, _ in heads]
        while heads and self._width(heads) > TERMINAL:
            heads.pop()
        for group in self.groups:
            table = terminal_table(
                plain(_joined(self.title, group.name)), [self.first.lower(), *self._terminal_heads(heads)]
            )
            for first, cells in group.rows:
                table.add_row(plain(first), *(_terminal_cell(cells[place], brief) for place, brief in heads))
            yield table

    def _terminal_heads(self, heads: Sequence[tuple[int, bool]]) -> list[str]:
        return [_two_lines(self.heads[place]) for place, _ in heads]

    def _width(self, heads: Sequence[tuple[int, bool]]) -> int:
        """Columns that a terminal needs for all groups; heads are (place, whether spreads are left out)."""
        rows = [row for group in self.groups for row in group.rows]
        widths = [max(len(self.first), *(len(first) for first, _ in rows))]
        for (place, brief), head in zip(heads, self._terminal_heads(heads), strict=True):
            texts = [cells[place].text if brief else cells[place].whole for _, cells in rows]
            widths.append(max(map(len, [*head.splitlines(), *texts])))
        return sum(widths) + 2 * len(widths)

    def _pages(self) -> Iterator[tuple[str, list[Group]]]:
        """Groups that stand in one table of LaTeX, by the part that they are of."""
        part, lines, page_of = "", 0, list[Group]()
        for group in self.groups:
            of_group = len(group.rows) + bool(group.title)
            if page_of and (group.part != part or lines + of_group > MOST_LINES):
                yield part, page_of
                lines, page_of = 0, []
            part, lines = group.part, lines + of_group
            page_of.append(group)
        if page_of:
            yield part, page_of


def _joined(title: str, part: str) -> str:
    return f"{title}: {part[:1].lower()}{part[1:]}" if part else title


def _markdown_cell(cell: Cell) -> str:
    return {1: f"**{cell.whole}**", 2: f"<u>{cell.whole}</u>"}.get(cell.rank, cell.whole)


def _latex_head(head: Head) -> str:
    return below_each_other([head.title, *([f"({head.unit})"] if head.unit else [])])


def _latex_cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.rank, text)
    spread = escape(cell.spread.replace("± ", "±"))
    return rf"{text}{{\tiny\,{spread}}}" if spread else text


def _page_cell(cell: Cell) -> page.Cell:
    return page.Cell(cell.whole, cell.value, cell.rank)


def _two_lines(head: Head) -> str:
    """The unit in the second line, and with it the second word if there are two."""
    words = head.title.replace(" ↑", "~↑").replace(" ↓", "~↓").split(" ")
    lines = [words[0], f"{words[1]} {head.unit}"] if len(words) == 2 else [head.title, head.unit]
    return "\n".join(lines).replace("~", " ").strip()


def _terminal_cell(cell: Cell, brief: bool) -> str:
    text = plain(cell.text if brief else cell.whole)
    return {1: f"[bold]{text}[/]", 2: f"[underline]{text}[/]"}.get(cell.rank, text)
