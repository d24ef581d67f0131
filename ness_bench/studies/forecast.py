"""How long a study would take, from some of its runs, done and thrown away."""

import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ness_bench.studies.plan import Plan
from ness_bench.studies.run import Run, execute


@dataclass(frozen=True)
class Forecast:
    """What to expect of a study.

    Attributes:
        seconds: of all runs, one after the other.
        timed: runs that this is extrapolated from.
        errors: of those that failed, by title.
    """

    seconds: float
    timed: int
    errors: dict[str, str]


def forecast(plan: Plan, patience: float) -> Forecast:
    """Time runs drawn at random, some of each label, and take the others of a label to last as long on average.

    Args:
        plan: of the study.
        patience: seconds, after which no further run is begun once each label has been timed.

    Raises:
        NessBenchError: the plan is not consistent.
    """
    by_label: dict[str, list[Run]] = defaultdict(list)
    for run in plan.runs():
        by_label[run.label].append(run)
    order = np.random.default_rng(0)
    waiting = {label: [runs[place] for place in order.permutation(len(runs))] for label, runs in by_label.items()}
    taken: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, str] = {}
    execute(next(iter(waiting.values()))[0])  # opens what all will read
    begin = time.perf_counter()
    while any(waiting.values()) and (len(taken) < len(by_label) or time.perf_counter() - begin < patience):
        for label, runs in waiting.items():
            if runs:
                run, before = runs.pop(), time.perf_counter()
                record = execute(run)
                taken[label].append(time.perf_counter() - before)
                if "error" in record:
                    errors[run.title] = record["error"]
    seconds = sum(len(runs) * float(np.mean(taken[label])) for label, runs in by_label.items())
    return Forecast(seconds, sum(map(len, taken.values())), errors)
