"""Tables and figures of trials, from their records, the table's best scores and what is published."""

import pandas as pd

from ness_bench.reports.trials import tables
from ness_bench.reports.trials.captions import TITLES, context_of
from ness_bench.reports.trials.figures import drawn
from ness_bench.reports.trials.terminal import comparison
from ness_bench.reports.written import Findings, few_repetitions
from ness_bench.studies.trials import TrialPlan


def findings(plan: TrialPlan, records: pd.DataFrame) -> Findings:
    context = context_of(plan)
    means = tables.comparison(records, context)
    return Findings(
        subject=f"Searches for one network on {TITLES[plan.dataset]}, by protocol {plan.protocol}",
        protocol=context.how,
        warnings=few_repetitions(plan.repetitions),
        texts=tables.texts(means, context),
        figures=drawn(records, context),
        page_tables=[tables.page_table(means, context)],
        shown=[comparison(means, context)],
        note=context.note,
    )
