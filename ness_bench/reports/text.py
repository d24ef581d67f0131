"""Tables as text: Markdown to read, LaTeX (booktabs) for a paper, and what a terminal shows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

_LATEX = {character: f"\\{character}" for character in "%_&#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "<": "$<$",
    ">": "$>$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "α": r"$\alpha$",
    "δ": r"$\delta$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
}

_NEW_LINE = r"\\"


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """A number with so many decimals; a real minus, and no minus before 0."""
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def ends(low: float, high: float, digits: int, *, signed: bool = False) -> str:
    """The ends of an interval in brackets; nothing for one without ends."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"({number(low, digits, signed=signed)} to {number(high, digits, signed=signed)})"


def probability(p: float) -> str:
    """A p-value; a dash for one that is not defined."""
    return "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def markdown_row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose first column is text and whose others are numbers."""
    return [markdown_row(heads), markdown_row(["---", *["---:"] * (len(heads) - 1)]), *map(markdown_row, rows)]


def latex_table(
    caption: str, label: str, heads: Sequence[str], body: Iterable[str], *, fitted: bool = False
) -> list[str]:
    """The lines of a table whose first column is text and whose others are numbers; needs booktabs.

    Args:
        caption: plain text.
        label: after `tab:`.
        heads: LaTeX, a column each.
        body: LaTeX, a line each.
        fitted: whether it is made smaller if it is wider than a line; needs graphicx.
    """
    narrower = (r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%", "}") if fitted else ()
    return [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{tab:{label}}}",
        r"\medskip",
        r"\scriptsize",
        r"\setlength{\tabcolsep}{2.4pt}",
        *narrower[:1],
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        latex_row(heads),
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *narrower[1:],
        r"\end{table}",
        "",
    ]


def stacked(head: str) -> str:
    """A heading as LaTeX, a line a word; an arrow stands behind the word before it."""
    lines = head.replace(" ↑", "~↑").replace(" ↓", "~↓").split()
    return below_each_other(line.replace("~", " ") for line in lines)


def below_each_other(lines: Iterable[str]) -> str:
    """Lines of plain text as one heading in LaTeX."""
    return rf"\shortstack[r]{{{_NEW_LINE.join(map(escape, lines))}}}"


def latex_row(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"


def terminal_table(title: str, heads: Sequence[str]) -> Table:
    """An empty table whose first column is text and whose others are numbers."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=True)
    return table


def write_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write files by name into a folder, made if it is not there, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
