"""A study's tables and figures, remade from its records alone."""

from pathlib import Path

from ness_bench.banks.named import open_named
from ness_bench.reports.captions import Context
from ness_bench.reports.figures import write_figures
from ness_bench.reports.tables import write_tables
from ness_bench.studies.study import load_records, read_plan_of
from ness_bench.tasks import cost


def write_report(folder: Path) -> list[Path]:
    """Write `tables/` and `figures/` of a study and return the files.

    Raises:
        NessBenchError: the folder is no study, or runs of it are missing or failed.
    """
    plan = read_plan_of(folder)
    records = load_records(folder)
    bank = open_named(plan.bank)
    splits = f"{len(bank.val.labels):,} validation and {len(bank.test.labels):,} test images"
    context = Context(
        study=plan.name,
        bank=bank.name,
        data=f"{bank.manifest.data}, {splits}",
        repetitions=plan.repetitions,
        cost_model=cost.NAME,
    )
    return [*write_tables(records, folder / "tables", context), *write_figures(records, folder / "figures", context)]
