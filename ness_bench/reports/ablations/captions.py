"""The words of the report: what factors and their values are called, and how the numbers came about."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ness_bench.studies.ablations import AblationPlan

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "budget": "Budget (TE)",
        "size": "Ensemble size n",
        "cost_model": "Cost model",
        "supernet_epochs": "Supernet training (epochs)",
        "supernet_share": "Budget share of the supernet",
        "statistics": "Statistics of batch normalisation",
        "inference": "Inference of α",
        "temperature": "Temperature",
        "draws": "Drawn ensembles T",
        "averaging": "Averaging",
        "delta": "Weight of diversity δ",
        "sigma": "Width of the density σ",
        "pool": "Pool size",
    }
)
"""Other factors are called as the constant is."""

VALUES: Mapping[tuple[str, Any], str] = MappingProxyType({("supernet_epochs", 0): "by share"})
"""Numbers that stand for something else."""


@dataclass(frozen=True)
class Context:
    """What captions need and records do not say.

    Attributes:
        study: name of the study.
        bank: name of the prediction bank.
        data: its data set and the sizes of the splits.
        repetitions: runs a mean is over.
        reference: the setting that factors are changed from.
        best: the test NLL of the best ensembles there are, by size, and whether they are proved to be the best.
        base: the method that the others are held against.
    """

    study: str
    bank: str
    data: str
    repetitions: int
    reference: str
    best: str
    base: str


def reference_of(plan: AblationPlan) -> str:
    return f"{plan.size} members, budget {plan.budget:g} TE, cost model {plan.cost_model}, the methods' own constants"


def protocol(context: Context) -> str:
    """How the numbers of a table or figure came about, in plain text."""
    return (
        f"Study {context.study} on bank {context.bank} ({context.data}); searched on val, scored on test. One factor "
        f"is changed at a time, all others stay at their reference ({context.reference}). Means over "
        f"{context.repetitions} repetitions with 95 % percentile bootstrap intervals; differences of NLL are paired by "
        "repetition, with 95 % intervals by Student's t, and within noise where these hold 0. Several are looked at, "
        "and no interval is corrected for that. Regret is NLL above that of the best ensemble "
        f"of equal weights there is, {context.best}. Costs in training equivalents (TE)."
    )


def title(factor: str) -> str:
    return TITLES.get(factor, factor.replace("_", " ").capitalize())


def shown(factor: str, value: Any) -> str:
    """A value of a factor, as printed."""
    if (factor, value) in VALUES:
        return VALUES[factor, value]
    return value if isinstance(value, str) else f"{value:g}"
