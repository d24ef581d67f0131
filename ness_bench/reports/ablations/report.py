"""Tables and figures of ablations, from their records, the best ensembles of the bank and its supernets."""

import pandas as pd

from ness_bench.banks.named import open_named
from ness_bench.reports.ablations import supernets, tables
from ness_bench.reports.ablations.captions import Context, protocol, reference_of
from ness_bench.reports.ablations.cells import base_of, factor_cells, prepared, sampler_cells
from ness_bench.reports.ablations.figures import READ, factor_figure
from ness_bench.reports.ablations.lessons import lesson, spans
from ness_bench.reports.ablations.terminal import comparison, lessons
from ness_bench.reports.bank import best_ensembles, data_of, unproved, values_of
from ness_bench.reports.style import Drawn, looks
from ness_bench.reports.written import Findings, few_repetitions
from ness_bench.studies.ablations import AblationPlan


def findings(plan: AblationPlan, records: pd.DataFrame) -> Findings:
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
    how = protocol(context)
    factors, samplers = factor_cells(plan, records), sampler_cells(plan, records, best)
    texts, page_tables = tables.texts(factors, samplers, context), tables.page_tables(factors, samplers, context)
    styles = looks([entry.label or entry.name for entry in plan.methods])
    sentences, figures = [], {}
    for factor, cells in factors.groupby("factor", sort=False):
        learnt = lesson(cells)
        sentences.append(learnt)
        caption = f"{learnt} {spans(cells)} {READ}"
        figures[f"factor_{factor}"] = Drawn(factor_figure(cells, best, styles), caption, how)
    if bank.supernets:
        correlations = supernets.correlations(bank)
        texts |= supernets.texts(correlations, bank)
        page_tables.append(supernets.page_table(correlations, bank))
        learnt = supernets.lesson(correlations)
        sentences.append(learnt)
        caption = f"{learnt} {supernets.READ}"
        figures["rank_correlation"] = Drawn(supernets.rank_correlation(bank), caption, supernets.protocol(bank))
    return Findings(
        subject=f"What each choice changes, one at a time, on the prediction bank {bank.name}",
        protocol=how,
        warnings=[*few_repetitions(plan.repetitions), *unproved(best)],
        texts=texts,
        figures=figures,
        page_tables=page_tables,
        shown=[*comparison(samplers), lessons(sentences)],
        note=f"Means over {plan.repetitions} repetitions on test with 95 % bootstrap intervals; differences of NLL, to "
        f"{context.base} or to the reference, are paired by repetition, with 95 % intervals by Student's t. No "
        "interval is corrected for how many there are.",
    )
