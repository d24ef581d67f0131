"""The report on a study of ensembles, from its records and the best ensembles of the bank that it searched."""

from collections.abc import Mapping

import pandas as pd

from ness_bench.banks.bank import Bank
from ness_bench.banks.named import open_named
from ness_bench.ensembles.metrics import evaluate
from ness_bench.ensembles.oracle import Optimum
from ness_bench.reports.bank import best_ensembles, data_of, unproved, values_of
from ness_bench.reports.ensembles import comparison, tables, terminal
from ness_bench.reports.ensembles.captions import Context, Target, protocol
from ness_bench.reports.ensembles.figures import drawn
from ness_bench.reports.written import Findings, few_repetitions
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.metrics import Metric, metric_named


def findings(plan: EnsemblePlan, records: pd.DataFrame) -> Findings:
    """See `written.Findings`.

    Args:
        plan: of the study.
        records: one row a run, see `EnsembleRun.row`, and the column real_seconds.

    Raises:
        NessBenchError: the records are incomplete.
    """
    bank = open_named(plan.bank)
    best = best_ensembles(bank, plan.sizes)
    optima = records["size"].map({size: optimum.value for size, optimum in best.items()})
    records = records.assign(regret=records["nll"] - optima)
    metrics = tuple(map(metric_named, plan.metrics))
    warnings = [*few_repetitions(plan.repetitions), *unproved(best)]
    if records["real_seconds"].isna().any():
        metrics = tuple(metric for metric in metrics if metric.name != "real_seconds") or (metric_named("nll"),)
        warnings.append("Real seconds of some runs are not known, so none are shown.")
    context = Context(
        study=plan.name,
        bank=bank.name,
        data=data_of(bank),
        repetitions=plan.repetitions,
        cost_model=plan.cost_model,
        best=values_of(best),
        targets=targets(bank, best),
        metrics=metrics,
        judged_by=judged_by(metrics),
        reference=plan.held_against,
    )
    found = tables.tables(records, context)
    alone = "" if "ranks" in found else " With a single method there is nothing to rank or to hold against another."
    return Findings(
        subject=f"Methods at identical budgets on the prediction bank {bank.name}",
        protocol=protocol(context),
        warnings=warnings,
        texts=tables.texts(found, context),
        figures=drawn(records, context),
        page_tables=[table.shown.on_page() for table in found.values()],
        shown=list(terminal.shown(found)),
        note=f"Means over {plan.repetitions} repetitions on test. {comparison.NOTE}{alone}",
    )


def judged_by(metrics: tuple[Metric, ...]) -> Metric:
    """NLL, or if a plan shows others only, the first of which more or less is better; NLL if there is none.

    Regret stands for NLL, by which methods do as well against each other.
    """
    of_nll = metric_named("nll")
    first = next((metric for metric in metrics if metric.better), of_nll)
    return of_nll if of_nll in metrics or first.name == "regret" else first


def targets(bank: Bank, best: Mapping[int, Optimum]) -> dict[int, Target]:
    """What the best ensembles reach on test, by size."""
    reached = {}
    for size, optimum in best.items():
        scores = evaluate(bank.test.probabilities(optimum.rows), bank.test.labels)
        reached[size] = Target(optimum.value, scores.accuracy, scores.disagreement)
    return reached
