"""Tables and figures of ensembles, from their records and, for the regret, the best ensembles of the bank."""

from pathlib import Path

import pandas as pd

from ness_bench.banks.named import open_named
from ness_bench.reports.bank import best_ensembles, data_of, values_of
from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.figures import write_figures
from ness_bench.reports.ensembles.tables import write_tables
from ness_bench.reports.ensembles.terminal import comparison
from ness_bench.reports.written import Written
from ness_bench.studies.ensembles import EnsemblePlan


def write(plan: EnsemblePlan, records: pd.DataFrame, folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study."""
    bank = open_named(plan.bank)
    best = best_ensembles(bank, plan.sizes)
    optima = records["size"].map({size: optimum.value for size, optimum in best.items()})
    records = records.assign(regret=records["nll"] - optima)
    context = Context(
        study=plan.name,
        bank=bank.name,
        data=data_of(bank),
        repetitions=plan.repetitions,
        cost_model=plan.cost_model,
        best=values_of(best),
    )
    tables = write_tables(records, folder / "tables", context)
    return Written(
        [*tables, *write_figures(records, folder / "figures", context)],
        list(comparison(folder / "tables" / "comparison.csv")),
        "The means over repetitions on test; ± is half the width of the 95 % bootstrap interval.",
    )
