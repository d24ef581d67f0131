"""Tables and figures of samplers, from their records."""

from pathlib import Path

import pandas as pd

from ness_bench.reports.samplers.captions import protocol
from ness_bench.reports.samplers.cells import means_of, middle_of
from ness_bench.reports.samplers.figures import write_figures
from ness_bench.reports.samplers.tables import write_tables
from ness_bench.reports.samplers.terminal import tables
from ness_bench.reports.written import Written
from ness_bench.studies.samplers import SamplerPlan


def write(plan: SamplerPlan, records: pd.DataFrame, folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study."""
    means, middle, how = means_of(records), middle_of(plan), protocol(plan)
    files = write_tables(means, middle, how, folder / "tables")
    files += write_figures(means, middle, how, folder / "figures")
    note = "The means over repetitions; MMD² and ESS hold the ensembles against q, from which they were drawn."
    return Written(files, list(tables(means, middle)), note)
