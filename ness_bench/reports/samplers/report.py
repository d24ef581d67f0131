"""Tables and figures of samplers, from their records."""

import pandas as pd

from ness_bench.reports.samplers import tables, terminal
from ness_bench.reports.samplers.captions import protocol
from ness_bench.reports.samplers.cells import means_of, middle_of
from ness_bench.reports.samplers.figures import drawn
from ness_bench.reports.written import Findings, few_repetitions
from ness_bench.studies.samplers import SamplerPlan


def findings(plan: SamplerPlan, records: pd.DataFrame) -> Findings:
    means, middle, how = means_of(records), middle_of(plan), protocol(plan)
    return Findings(
        subject=f"NESS's samplers on a posterior of {plan.dataset}, against what they should draw from",
        protocol=how,
        warnings=few_repetitions(plan.repetitions),
        texts=tables.texts(means, middle, how),
        figures=drawn(means, middle, how),
        page_tables=tables.page_tables(means),
        shown=list(terminal.tables(means, middle)),
        note="The means over repetitions; MMD² and ESS hold the ensembles against q, from which they were drawn.",
    )
