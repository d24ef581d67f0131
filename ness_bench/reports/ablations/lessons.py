"""What a factor teaches, in words: where each method's mean is lowest, and which values differ from the reference."""

from typing import Any

import numpy as np
import pandas as pd

from ness_bench.reports.ablations.captions import shown, title
from ness_bench.reports.ablations.cells import BETTER, NOISE, REFERENCE, SAME, WORSE

OF_TASK = ("budget", "size")
"""Factors that say more of the task than of a method: regret along them is told as well."""

MEASURES = (
    ("distinct classes", "distinct", 1, ""),
    ("disagreement", "disagreement", 100, " %"),
    ("cost", "cost", 1, " TE"),
)
"""Name, metric, scale and unit of what is told beside NLL."""

WORDS = {BETTER: "better than it as well", WORSE: "worse than it", NOISE: "within noise of it", SAME: "the same as it"}
"""How all values but the one of lowest mean are introduced, by their verdict; it is the reference."""

Row = dict[Any, Any]


def lesson(cells: pd.DataFrame) -> str:
    """What one factor does to test NLL, in plain text.

    Args:
        cells: of one factor; see `cells.factor_cells`.
    """
    factor = str(cells["factor"].iloc[0])
    sentences, unmoved = [], {}
    for method, of_method in cells.groupby("method", sort=False):
        rows = of_method.to_dict("records")
        if {row["verdict"] for row in rows} <= {NOISE, SAME, REFERENCE}:
            unmoved[str(method)] = rows
        else:
            sentences.append(_moved(str(method), rows))
    if unmoved:
        sentences.append(_unmoved(unmoved))
    if factor in OF_TASK:
        sentences.append(_regret(cells))
    return f"{title(factor)}: {' '.join(sentences)}"


def spans(cells: pd.DataFrame) -> str:
    """Between which means diversity and cost lie over the values and methods of one factor, in plain text."""
    rows, parts = cells.to_dict("records"), []
    for name, metric, scale, unit in MEASURES:
        means = [row[f"{metric}_mean"] for row in rows]
        ends = [rows[place] for place in (np.argmin(means), np.argmax(means))]
        low, high = (f"{scale * row[f'{metric}_mean']:.1f}{unit} ({row['method']} at {_value(row)})" for row in ends)
        parts.append(f"{name} from {low} to {high}")
    return f"Means of {'; '.join(parts)}."


def _moved(method: str, rows: list[Row]) -> str:
    """A method that some values change: the value of lowest mean, then all others by their verdict."""
    reference = next(row for row in rows if row["is_reference"])
    best = min(rows, key=lambda row: (row["nll_mean"], not row["is_reference"]))
    where = f"its reference: {_value(best)}" if best is reference else _value(best)
    said = f"{method} has its lowest mean at {where} ({_nll(best)})"
    if best["verdict"] == BETTER:
        said += f", {_by(best)} below its reference ({_value(reference)})"
    elif best["verdict"] == NOISE:
        said += f", within noise of its reference ({_value(reference)})"
    for verdict, words in WORDS.items():
        values = [row for row in rows if row is not best and row["verdict"] == verdict]
        if values:
            said += f"; {words}: {', '.join(map(_value, values))}"
        if values and verdict == WORSE:
            furthest = max(values, key=lambda row: row["difference"])
            said += f", by {'up to ' if values[1:] else ''}{_by(furthest)}"
    return said + "."


def _unmoved(methods: dict[str, list[Row]]) -> str:
    """Methods whose values are all as good as their reference, as far as one can tell."""
    verdicts = {row["verdict"] for rows in methods.values() for row in rows}
    references = {method: row for method, rows in methods.items() for row in rows if row["is_reference"]}
    common = {_value(row) for row in references.values()}
    named = [
        f"{method} ({'' if len(common) == 1 else f'reference {_value(row)}, '}{_nll(row)})"
        for method, row in references.items()
    ]
    listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    reference = "its reference" if len(common) > 1 else f"the reference ({common.pop()})"
    if verdicts == {REFERENCE}:
        return f"Only {reference} was run, for {listed}."
    if verdicts <= {SAME, REFERENCE}:
        return f"No value gives anything else than {reference} in any repetition for {listed}."
    return f"No value differs from {reference} by more than noise for {listed}."


def _regret(cells: pd.DataFrame) -> str:
    """Regret of each method at its first and its last value."""
    parts = [
        f"{method} {rows['regret_mean'].iloc[0]:.4f} and {rows['regret_mean'].iloc[-1]:.4f}"
        for method, rows in cells.groupby("method", sort=False)
    ]
    first, last = (_value(cells.iloc[place].to_dict()) for place in (0, -1))
    return f"Regret at {first} and at {last}: {', '.join(parts)}."


def _value(row: Row) -> str:
    return shown(row["factor"], row["value"])


def _nll(row: Row) -> str:
    return f"NLL {row['nll_mean']:.4f}"


def _by(row: Row) -> str:
    """The size of a clear difference and of the ends of its interval."""
    low, high = sorted(abs(row[f"difference_{end}"]) for end in ("low", "high"))
    return f"{abs(row['difference']):.4f} ({low:.4f} to {high:.4f})"
