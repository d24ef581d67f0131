"""The words that stand under every table and figure: what was measured, on what, how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from ness_bench.studies.metrics import Metric


@dataclass(frozen=True)
class Target:
    """The best ensemble of its size that there is, by test NLL, and what else it reaches on test."""

    nll: float
    accuracy: float
    disagreement: float


class Context(TypedDict):
    """What tables and figures need and records do not say.

    Attributes:
        study: name of the study.
        bank: name of the prediction bank.
        data: its data set and the sizes of the splits.
        repetitions: runs a mean is over.
        best: the test NLL of the best ensemble there is, by size, and whether it is proved to be the best.
        targets: what those ensembles reach, by size.
        cost_model: name of the model by which costs are counted in training equivalents (TE).
        metrics: that tables show, in their order.
        judged_by: the metric by which methods are ranked and held against each other.
        reference: label of the method that others are held against.
    """

    study: str
    bank: str
    data: str
    repetitions: int
    best: str
    targets: Mapping[int, Target]
    cost_model: str
    metrics: tuple[Metric, ...]
    judged_by: Metric
    reference: str


def protocol(context: Context) -> str:
    """How the numbers of a table or figure came about, in plain text."""
    return (
        f"Study {context['study']} on bank {context['bank']} ({context['data']}); searched on val, scored on test; "
        f"means over {context['repetitions']} repetitions with 95 % percentile bootstrap intervals; "
        f"regret is NLL above that of the best ensemble there is, {context['best']}; "
        f"costs in training equivalents (TE), cost model {context['cost_model']}."
    )
