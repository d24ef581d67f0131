"""The published numbers of multi-trial search in a table, and what of a study may be held against them.

Numbers of another signal, budget or split, or of other constants, would only look comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ness_bench.methods import method
from ness_bench.spaces.space import Space
from ness_bench.studies.trials import TrialPlan, scores
from ness_bench.tables.named import table_named
from ness_bench.tasks.protocols import protocol_named
from ness_bench.tasks.table import signal_of


@dataclass(frozen=True)
class Published:
    """What a method reached, in percent.

    Attributes:
        mean: over searches, of the test accuracy of the network found.
        std: its standard deviation.
        source: where it is from.
        lengths: numbers of epochs that a trial could have, by the method's account; above 1 if it begins with short
            trainings.
    """

    mean: float
    std: float
    source: str
    lengths: int = 1

    def holds(self, mean: float) -> bool:
        """Whether a mean (percent), rounded as the published one is, lies within one standard deviation of it."""
        return abs(round(mean, 2) - self.mean) < self.std + 0.005  # all are multiples of 0.01


_ICLR_2020 = "Dong & Yang, ICLR 2020, 500 searches of 12,000 s each"

PUBLISHED = {
    ("nas-bench-201", "cifar10", "random-search"): Published(93.70, 0.36, _ICLR_2020),
    ("nas-bench-201", "cifar10", "regularized-evolution"): Published(93.92, 0.30, _ICLR_2020),
    ("nas-bench-201", "cifar10", "reinforce"): Published(93.85, 0.37, _ICLR_2020),
    ("nas-bench-201", "cifar10", "bohb"): Published(93.61, 0.52, _ICLR_2020, lengths=12),
}
"""By protocol, data set and registered name of the method."""


@dataclass(frozen=True)
class Comparison:
    """What of a study may be held against published numbers.

    Attributes:
        published: by label, of those methods that may.
        reasons: why the others, or all, may not.
        remarks: what is different all the same.
    """

    published: Mapping[str, Published]
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def comparison_of(plan: TrialPlan) -> Comparison:
    """Which methods of a study were run as the published ones were."""
    table, protocol = table_named(plan.table), protocol_named(plan.protocol, plan.dataset)
    signal, score = signal_of(table, plan.dataset, protocol), scores(table, protocol.report_epochs)[plan.dataset]
    covered = len(signal.architectures)
    whole = Space.whole().size
    obstacles = {
        f"there are no published numbers of protocol {plan.protocol} on {plan.dataset}": not any(
            key[:2] == (plan.protocol, plan.dataset) for key in PUBLISHED
        ),
        f"the table has no {protocol.signal_epochs}-epoch accuracies (guided by {signal.epochs}-epoch ones, "
        f"{signal.seconds:,.0f} s)": not signal.as_published,
        f"scored on {score.split}, since it has no test accuracies": score.split != "test",
        f"the table covers {covered:,} of {whole:,} architectures": covered < whole,
        "the last trial had to fit into the budget": plan.strict,
    }
    if any(obstacles.values()):
        return Comparison({}, tuple(obstacle for obstacle, stands in obstacles.items() if stands))
    published, reasons, remarks = {}, [], []
    for entry in plan.methods:
        label, number = entry.label or entry.name, PUBLISHED.get((plan.protocol, plan.dataset, entry.name))
        if number is None:
            reasons.append(f"{label} has no published number")
        elif method.create(entry.name, entry.constants) != method.create(entry.name):
            reasons.append(f"{label} has constants of its own")
        else:
            published[label] = number
            if len(signal.lengths) < number.lengths:
                remarks.append(f"{label} had no trainings of fewer than {signal.epochs} epochs, which the table lacks")
    return Comparison(published, tuple(reasons), tuple(remarks))
