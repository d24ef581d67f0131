"""The words that stand under every table and figure: in which table, by which protocol, how often."""

from collections.abc import Mapping
from dataclasses import dataclass

from ness_bench.studies.published import Comparison, Published, comparison_of
from ness_bench.studies.trials import MISSING, Score, TrialPlan, scores
from ness_bench.tables.named import table_named
from ness_bench.tables.table import Table
from ness_bench.tasks.protocols import protocol_named
from ness_bench.tasks.table import Signal, signal_of

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}


@dataclass(frozen=True)
class Context:
    """What tables and figures need and records do not say.

    Attributes:
        searched: the data set that was searched on.
        seconds: simulated, that a search may spend.
        scored: what networks are scored by, by data set.
        published: what is held against a method, by its label.
        how: the numbers came about, in plain text.
        note: the end of `how`: what ± means and what is compared.
    """

    searched: str
    seconds: float
    scored: Mapping[str, Score]
    published: Mapping[str, Published]
    how: str
    note: str

    def best(self, dataset: str) -> float:
        """The best score there is in the table, as a share."""
        return float(self.scored[dataset].accuracy.max()) / 100

    def title(self, dataset: str) -> str:
        """A data set and its split."""
        return f"{TITLES[dataset]} {self.scored[dataset].split}"


def context_of(plan: TrialPlan) -> Context:
    """The context of a study; see `Context`."""
    table, protocol = table_named(plan.table), protocol_named(plan.protocol, plan.dataset)
    signal, comparison = signal_of(table, plan.dataset, protocol), comparison_of(plan)
    note = (
        f"Means ± standard deviations over {plan.repetitions} repetitions; intervals are 95 % percentile bootstrap "
        f"intervals of the mean. {_compared(comparison)}"
    )
    how = (
        f"Study {plan.name}: searches on {TITLES[plan.dataset]} by protocol {plan.protocol} ({protocol.source}) in a "
        f"table ({table.source}; digest {table.digest[:12]}…). A search may spend {signal.seconds:,.0f} simulated "
        f"seconds; its last trial {'must fit' if plan.strict else 'may overshoot, as published'}. A trial shows the "
        f"validation accuracy after {signal.epochs} epochs{_trial(plan, table, signal)}. Seconds of training are the "
        f"table's; those of a validation pass are {_validation_seconds(signal.validation_measured)}. Scores are "
        f"accuracies after {protocol.report_epochs} epochs, means over the seeds that the table has of an architecture "
        f"(missing seeds: {MISSING}). {note}"
    )
    return Context(plan.dataset, signal.seconds, scores(table, protocol.report_epochs), comparison.published, how, note)


def _trial(plan: TrialPlan, table: Table, signal: Signal) -> str:
    """Which seed a trial shows, and which shorter ones there are."""
    seeds = table.run(plan.dataset, "val", signal.epochs).seeds
    drawn = ", of a seed drawn anew in each repetition" if len(seeds) > 1 else ""
    if len(signal.lengths) > 1:
        return f"{drawn}; shorter ones are on offer, {len(signal.lengths)} lengths in all"
    return f"{drawn}; the table offers no shorter ones"


def _validation_seconds(measured: bool) -> str:
    return "measured as well" if measured else "estimated as a third of what training on as many images takes"


def _compared(comparison: Comparison) -> str:
    if not comparison.published:
        return f"Nothing is compared with published numbers: {'; '.join(comparison.reasons)}."
    sources = dict.fromkeys(number.source for number in comparison.published.values())
    compared = (
        f"Published: {'; '.join(sources)}. A mean is inside if it lies within one published standard deviation of the "
        "published mean, otherwise outside."
    )
    for introduction, texts in (("But", comparison.remarks), ("Not compared:", comparison.reasons)):
        compared += f" {introduction} {'; '.join(texts)}." if texts else ""
    return compared
