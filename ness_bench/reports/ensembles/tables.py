"""The tables of a study of ensembles: each as CSV for machines, Markdown to read, LaTeX (booktabs) for a paper."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ness_bench.reports.ensembles import comparison, differences, standings
from ness_bench.reports.ensembles.captions import Context, protocol
from ness_bench.reports.ensembles.grouped import Grouped
from ness_bench.studies.comparisons import budget_area, ranks, win_rates


@dataclass(frozen=True)
class Tabled:
    """A table.

    Attributes:
        frame: all of its numbers, as the CSV has them.
        shown: what of them is for people.
    """

    frame: pd.DataFrame
    shown: Grouped


def tables(records: pd.DataFrame, context: Context) -> dict[str, Tabled]:
    """By name: the comparison; of several methods differences to one, ranks, win rates; of several budgets areas.

    Args:
        records: see `report.findings`.
        context: what they do not say.

    Raises:
        NessBenchError: the records are incomplete.
    """
    metrics, judged_by, reference = context["metrics"], context["judged_by"], context["reference"]
    means = comparison.frame(records, metrics)
    found = {"comparison": Tabled(means, comparison.table(means, records, metrics))}
    if records["method"].nunique() > 1:
        compared = metrics if judged_by in metrics else (*metrics, judged_by)
        held = differences.frame(records, compared, reference)
        found["differences"] = Tabled(held, differences.table(held, judged_by, reference))
        ranked = ranks(records, judged_by)
        found["ranks"] = Tabled(standings.rank_frame(ranked), standings.rank_table(ranked, judged_by))
        rates = win_rates(records, judged_by)
        flat = rates.rename_axis(columns=None).reset_index()
        found["win_rates"] = Tabled(flat, standings.win_table(rates, judged_by))
    if records["budget"].nunique() > 1:
        areas = budget_area(records, judged_by)
        found["areas"] = Tabled(areas, standings.area_table(areas, judged_by))
    return found


def texts(found: Mapping[str, Tabled], context: Context) -> dict[str, str]:
    """NAME.csv, NAME.md and NAME.tex of each of `tables`."""
    how, named = protocol(context), {}
    for name, table in found.items():
        named[f"{name}.csv"] = table.frame.to_csv(index=False, float_format="%.9g")
        named[f"{name}.md"] = table.shown.markdown(how)
        named[f"{name}.tex"] = table.shown.latex(how)
    return named
