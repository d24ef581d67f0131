"""Tables and figures of ablations, from their records, the best ensembles of the bank and its supernets."""

from pathlib import Path

import pandas as pd

from ness_bench.banks.named import open_named
from ness_bench.reports.ablations import supernets
from ness_bench.reports.ablations.captions import Context, protocol, reference_of
from ness_bench.reports.ablations.cells import base_of, factor_cells, prepared, sampler_cells
from ness_bench.reports.ablations.figures import READ, factor_figure
from ness_bench.reports.ablations.lessons import lesson, spans
from ness_bench.reports.ablations.tables import write_tables
from ness_bench.reports.ablations.terminal import comparison, lessons
from ness_bench.reports.bank import best_ensembles, data_of, values_of
from ness_bench.reports.style import looks, save_figures
from ness_bench.reports.written import Written
from ness_bench.studies.ablations import AblationPlan


def write(plan: AblationPlan, records: pd.DataFrame, folder: Path) -> Written:
    """Write `tables/` and `figures/` of a study."""
    bank = open_named(plan.bank)
    best = best_ensembles(bank, sorted(records["size"].unique().tolist()))
    records = prepared(records, best)
    context = Context(
        study=plan.name,
        bank=bank.name,
        data=data_of(bank),
        repetitions=plan.repetitions,
        reference=reference_of(plan),
        best=values_of(best),
        base=base_of(plan),
    )
    factors, samplers = factor_cells(plan, records), sampler_cells(plan, records, best)
    files = write_tables(factors, samplers, folder / "tables", context)
    styles = looks([entry.label or entry.name for entry in plan.methods])
    sentences, figures, how = [], {}, {}
    for factor, cells in factors.groupby("factor", sort=False):
        name, learnt = f"factor_{factor}", lesson(cells)
        sentences.append(learnt)
        figures[name] = factor_figure(cells, best, styles), f"{learnt} {spans(cells)} {READ}"
        how[name] = protocol(context)
    if bank.supernets:
        correlations = supernets.correlations(bank)
        files += supernets.write_tables(correlations, bank, folder / "tables")
        learnt = supernets.lesson(correlations)
        sentences.append(learnt)
        figures["rank_correlation"] = supernets.rank_correlation(bank), f"{learnt} {supernets.READ}"
        how["rank_correlation"] = supernets.protocol(bank)
    files += save_figures(figures, how, folder / "figures")
    return Written(
        files,
        [*comparison(samplers), lessons(sentences)],
        f"Means over {plan.repetitions} repetitions on test with 95 % bootstrap intervals; differences of NLL, to "
        f"{context.base} or to the reference, are paired by repetition, with 95 % intervals by Student's t. No "
        "interval is corrected for how many there are.",
    )
