"""What ensembles are scored by, and how each metric is shown: the suite's own, and what other packages register.

A metric of another package is a `Metric` with a function that computes it, named under the entry-point group
`ness_bench.metrics`; a plan asks for it under its name (`metrics = ["nll", "my-metric"]`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError, nearest

Compute = Callable[[npt.NDArray[np.floating], npt.NDArray[np.floating], npt.NDArray[np.integer]], float]
"""(probabilities [members, examples, classes], weights [members], which sum to 1, labels [examples]) → the metric."""


@dataclass(frozen=True)
class Metric:
    """A metric and how it is shown.

    Attributes:
        name: its column in the records, and what plans call it.
        title: its heading.
        unit: "%" for shares, which are shown in per cent, "TE", or nothing.
        digits: decimals shown.
        better: "↑" if higher is better, "↓" if lower is, nothing if it is no merit of its own.
        compute: how it is computed, where the suite does not already do so.
    """

    name: str
    title: str
    unit: str
    digits: int
    better: str
    compute: Compute | None = None

    @property
    def scale(self) -> int:
        return 100 if self.unit == "%" else 1


OWN = (
    Metric("accuracy", "Acc.", "%", 2, "↑"),
    Metric("nll", "NLL", "", 3, "↓"),
    Metric("regret", "Regret", "", 3, "↓"),
    Metric("ece", "ECE", "", 4, "↓"),
    Metric("brier", "Brier", "", 3, "↓"),
    Metric("disagreement", "Disagr.", "%", 1, ""),
    Metric("distinct", "Classes", "", 1, ""),
    Metric("cost", "Cost", "TE", 1, ""),
    Metric("real_seconds", "Real time", "s", 2, ""),
    Metric("member_accuracy", "Member acc.", "%", 2, "↑"),
    Metric("member_nll", "Member NLL", "", 3, "↓"),
    Metric("oracle_accuracy", "Oracle acc.", "%", 2, "↑"),
)
"""Those of `ensembles.metrics`; NLL above that of the best ensemble there is; functional classes among the members;
what was spent; real seconds."""

STANDARD = ("accuracy", "nll", "regret", "ece", "brier", "disagreement", "distinct", "cost", "real_seconds")
"""Shown unless a plan says otherwise."""


@lru_cache(maxsize=1)
def metrics() -> Mapping[str, Metric]:
    """All metrics by name: the suite's own, then what other packages registered, in alphabetical order.

    Raises:
        NessBenchError: a package registered what is no metric with a function, or one under a name that is taken.
    """
    found = {metric.name: metric for metric in OWN}
    for entry_point in sorted(entry_points(group="ness_bench.metrics"), key=lambda entry_point: entry_point.name):
        metric = entry_point.load()
        if not isinstance(metric, Metric) or metric.compute is None or metric.name in found:
            raise NessBenchError(
                f"entry point {entry_point.name} = {entry_point.value} of the group ness_bench.metrics must be a "
                "ness_bench.studies.metrics.Metric with a function `compute` and a name of its own; "
                f"taken: {', '.join(found)}"
            )
        found[metric.name] = metric
    return found


def metric_named(name: str) -> Metric:
    """A metric by name.

    Raises:
        NessBenchError: there is none of that name.
    """
    known = metrics()
    if name not in known:
        raise NessBenchError(f'unknown metric "{name}"{nearest(name, list(known))}; known: {", ".join(known)}')
    return known[name]
