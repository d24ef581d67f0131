"""The figures of a study of ensembles, in the order in which a report shows them."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from ness_bench.reports.ensembles import (
    accuracy_vs_diversity,
    calibration,
    composition,
    cost_breakdown,
    critical_difference,
    members_as_samples,
    nll_vs_budget,
    regret_profiles,
    win_rates,
)
from ness_bench.reports.ensembles.captions import Context, protocol
from ness_bench.reports.style import Drawn

FIGURES: dict[str, tuple[Callable[[pd.DataFrame, Context], Figure], str]] = {
    "nll_vs_budget": (nll_vs_budget.nll_vs_budget, nll_vs_budget.CAPTION),
    "regret_profiles": (regret_profiles.regret_profiles, regret_profiles.CAPTION),
    "critical_difference": (critical_difference.critical_difference, critical_difference.CAPTION),
    "win_rates": (win_rates.win_rates, win_rates.CAPTION),
    "accuracy_vs_diversity": (accuracy_vs_diversity.accuracy_vs_diversity, accuracy_vs_diversity.CAPTION),
    "calibration": (calibration.calibration, calibration.CAPTION),
    "members_as_samples": (members_as_samples.members_as_samples, members_as_samples.CAPTION),
    "composition": (composition.composition, composition.CAPTION),
    "cost_breakdown": (cost_breakdown.cost_breakdown, cost_breakdown.CAPTION),
}
"""How each figure is drawn and what its caption begins with; {metric} is the one that methods are judged by."""

OF_SEVERAL = ("critical_difference", "win_rates")
"""Figures of how methods do against each other; a study of one method goes without."""


def drawn(records: pd.DataFrame, context: Context) -> dict[str, Drawn]:
    """Each of `FIGURES` that the records have something for, by name.

    Args:
        records: see `report.findings`.
        context: for the captions.

    Raises:
        NessBenchError: the records are incomplete.
    """
    how, alone, metric = protocol(context), records["method"].nunique() == 1, context["judged_by"].title
    return {
        name: Drawn(draw(records, context), caption.format(metric=metric), how)
        for name, (draw, caption) in FIGURES.items()
        if not (alone and name in OF_SEVERAL)
    }
