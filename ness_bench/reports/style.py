"""What all figures have in common: drawn at a paper's text width, saved as PDF for a paper and PNG for a screen.

What is compared has a colour (told apart by the colour-blind), a marker and a line style each, so that a figure can
be read in grey. A method keeps its look through all figures of a report.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from ness_bench.reports.svg import inline

TEXT_WIDTH = 5.5
"""Inches: the text width of NeurIPS and ICLR papers."""

STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",  # comes with Matplotlib and goes with Times
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # TrueType: venues refuse Type 3
}

COLOURS = (*(colour for place, colour in enumerate(sns.color_palette("colorblind")) if place not in (6, 8)), "black")
"""Without its pink and yellow, which fade on white."""

MARKERS = "osD^v<>XPhp"
LINE_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
"""The numbers of colours, markers and line styles have no common factor, so a look recurs after 693 names only."""

REFERENCE: dict[str, Any] = {"color": "0.3", "linestyle": (0, (4, 2)), "linewidth": 0.8}
"""How a line is drawn that things are held against."""


@dataclass(frozen=True)
class Look:
    """How something is drawn."""

    colour: Any
    marker: str
    line_style: Any

    @property
    def marks(self) -> dict[str, Any]:
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
            "linewidth": 0.9,
        }


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each name, by its place among them."""
    return {
        name: Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], LINE_STYLES[place % len(LINE_STYLES)])
        for place, name in enumerate(names)
    }


def bars(summary: pd.DataFrame) -> list[pd.Series]:
    """Lengths of the error bars below and above the means, from the columns mean, low and high."""
    return [summary["mean"] - summary["low"], summary["high"] - summary["mean"]]


def outlier_limit(losses: "pd.Series[float]") -> float:
    """Where an axis of means, the lower the better, is cut so that outliers do not squeeze the rest.

    Outliers lie more than four times as far from the best mean as the better half of the means do. Half of what the
    others take is left beyond them, for a note of what falls off.
    """
    best = losses.min()
    kept = losses[losses <= best + 4 * (losses.median() - best)]
    return float(best + 1.5 * (kept.max() - best))


def legend(figure: Figure, styles: Mapping[str, Look], lines: bool, more: Iterable[Line2D] = ()) -> None:
    """A legend below the panels, in as many columns as fit, five at most.

    Args:
        figure: to draw on.
        styles: by name.
        lines: whether the line styles are shown as well.
        more: keys that come last.
    """
    keys = [
        Line2D([], [], linestyle=look.line_style if lines else "", label=name, **look.marks)
        for name, look in styles.items()
    ]
    keys += more
    for columns in range(5, 0, -1):
        drawn = figure.legend(handles=keys, loc="outside lower center", ncols=columns, handlelength=3 if lines else 1)
        if columns == 1 or drawn.get_window_extent().width <= figure.bbox.width:
            break
        drawn.remove()


@dataclass(frozen=True)
class Drawn:
    """A figure, its caption, and how its numbers came about, which ends the caption in `figures.md`."""

    figure: Figure
    caption: str
    how: str


@mpl.rc_context(STYLE)
def save_figures(figures: Mapping[str, Drawn], folder: Path) -> list[Path]:
    """Save figures by name as PDF and PNG, and figures.md, which shows them with their captions.

    The same figures and versions give the same bytes.

    Args:
        figures: by name.
        folder: made if it is not there.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, shown = [], []
    for name, drawn in figures.items():
        _lay_out(drawn.figure)
        pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
        drawn.figure.savefig(pdf, metadata={"CreationDate": None})
        drawn.figure.savefig(png, dpi=200)
        written += [pdf, png]
        shown.append(f"![{drawn.caption}]({png.name})\n\n{drawn.caption} {drawn.how}\n")
    page = folder / "figures.md"
    page.write_text("\n".join(shown), encoding="utf-8")
    return [*written, page]


@mpl.rc_context(STYLE)
def svg_of(name: str, figure: Figure) -> Markup:
    """A figure as SVG for a page that holds others as well; see `svg.inline`."""
    _lay_out(figure)
    file = StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return inline(file.getvalue(), name)


def _lay_out(figure: Figure) -> None:
    """Find room for everything and keep to it: found anew for every file, things would move from one to the next."""
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        for _ in range(2):  # how much room tick labels take is known once their axes have a size
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
