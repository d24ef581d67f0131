"""Tables and figures of ensembles, from their records and, for the regret, the best ensembles of the bank."""

from pathlib import Path

import pandas as pd

from ness_bench.banks.bank import Bank
from ness_bench.banks.named import open_named
from ness_bench.ensembles.oracle import Optimum, best_ensemble
from ness_bench.reports.ensembles.captions import Context
from ness_bench.reports.ensembles.figures import write_figures
from ness_bench.reports.ensembles.tables import write_tables
from ness_bench.reports.ensembles.terminal import comparison
from ness_bench.reports.written import Written
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.tasks import cost


def _best(bank: Bank, size: int) -> Optimum:
    """The ensemble of lowest test NLL that the bank knows, or a search for it."""
    return bank.optima.get(("test", "nll", size)) or best_ensemble(bank.test, "nll", size)


def write(plan: EnsemblePlan, records: pd.DataFrame, folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study."""
    bank = open_named(plan.bank)
    best = {size: _best(bank, size) for size in plan.sizes}
    optima = records["size"].map({size: optimum.value for size, optimum in best.items()})
    records = records.assign(regret=records["nll"] - optima)
    splits = f"{len(bank.val.labels):,} validation and {len(bank.test.labels):,} test images"
    context = Context(
        study=plan.name,
        bank=bank.name,
        data=f"{bank.manifest.data}, {splits}",
        repetitions=plan.repetitions,
        cost_model=cost.NAME,
        best="; ".join(
            f"{optimum.value:.4f} for {size} members ({'proved' if optimum.proven else 'best found'})"
            for size, optimum in best.items()
        ),
    )
    tables = write_tables(records, folder / "tables", context)
    return Written(
        [*tables, *write_figures(records, folder / "figures", context)],
        list(comparison(folder / "tables" / "comparison.csv")),
        "The means over repetitions on test; ± is half the width of the 95 % bootstrap interval.",
    )
