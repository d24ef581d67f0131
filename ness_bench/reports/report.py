"""A study's tables and figures, remade from its records and, for the regret, the best ensembles of its bank."""

from pathlib import Path

from ness_bench.banks.bank import Bank
from ness_bench.banks.named import open_named
from ness_bench.ensembles.oracle import Optimum, best_ensemble
from ness_bench.reports.captions import Context
from ness_bench.reports.figures import write_figures
from ness_bench.reports.tables import write_tables
from ness_bench.studies.study import load_records, read_plan_of
from ness_bench.tasks import cost


def _best(bank: Bank, size: int) -> Optimum:
    """The ensemble of lowest test NLL that the bank knows, or a search for it."""
    return bank.optima.get(("test", "nll", size)) or best_ensemble(bank.test, "nll", size)


def write_report(folder: Path) -> list[Path]:
    """Write `tables/` and `figures/` of a study and return the files.

    Raises:
        NessBenchError: the folder is no study, or runs of it are missing or failed.
    """
    plan = read_plan_of(folder)
    records = load_records(folder)
    bank = open_named(plan.bank)
    best = {size: _best(bank, size) for size in plan.sizes}
    records["regret"] = records["nll"] - records["size"].map({size: optimum.value for size, optimum in best.items()})
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
    return [*write_tables(records, folder / "tables", context), *write_figures(records, folder / "figures", context)]
