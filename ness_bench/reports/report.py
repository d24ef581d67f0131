"""A study's tables and figures, remade from its records. Each kind of study has a folder of its own here."""

from pathlib import Path

from ness_bench.reports.ablations import report as ablations
from ness_bench.reports.ensembles import report as ensembles
from ness_bench.reports.samplers import report as samplers
from ness_bench.reports.trials import report as trials
from ness_bench.reports.written import Written
from ness_bench.studies.ablations import AblationPlan
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.samplers import SamplerPlan
from ness_bench.studies.study import load_records, read_plan_of
from ness_bench.studies.trials import TrialPlan


def write_report(folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study.

    Raises:
        NessBenchError: the folder is no study, or runs of it are missing or failed.
    """
    plan, records = read_plan_of(folder), load_records(folder)
    if isinstance(plan, AblationPlan):
        return ablations.write(plan, records, folder)
    if isinstance(plan, EnsemblePlan):
        return ensembles.write(plan, records, folder)
    if isinstance(plan, TrialPlan):
        return trials.write(plan, records, folder)
    assert isinstance(plan, SamplerPlan)
    return samplers.write(plan, records, folder)
