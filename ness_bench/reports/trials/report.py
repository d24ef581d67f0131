"""Tables and figures of trials, from their records, the table's best scores and what is published."""

from pathlib import Path

import pandas as pd

from ness_bench.reports.trials.captions import context_of
from ness_bench.reports.trials.figures import write_figures
from ness_bench.reports.trials.tables import write_tables
from ness_bench.reports.trials.terminal import comparison
from ness_bench.reports.written import Written
from ness_bench.studies.trials import TrialPlan


def write(plan: TrialPlan, records: pd.DataFrame, folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study."""
    context = context_of(plan)
    files = [*write_tables(records, folder / "tables", context), *write_figures(records, folder / "figures", context)]
    return Written(files, [comparison(records, context)], context.note)
