"""The gate: has a method become worse than it was when a baseline was written?

A baseline keeps, of a study of ensembles, what every run scored by the metrics that the plan has `margins` of. When the
plan has been run again, each method is held against itself in each cell (size, budget) and by each of these metrics, by
the paired test of non-inferiority (`statistics.student`): a one-sided 95 % bound of the mean difference, by Student's t
over seeds, has to stay below the margin. A metric that is no merit of its own, such as disagreement, must move in
neither direction: both bounds have to stay within the margin, which is the test of equivalence by two one-sided tests.

What fails by chance. Runs of unchanged code draw the same random numbers, so that their differences are 0 and every
margin holds. A change that leaves a method as good as it was but draws other numbers, or another machine that rounds
otherwise, gives differences as between two seeds, and margins have to cover these. With s their standard deviation over
n seeds, a test fails by chance in 1 of 1,000 cases if the margin is 4.9 s/√n (n = 20), in 1 of 10,000 if it is
5.6 s/√n; with N tests, at most N times as often. Conversely, a method that is worse by its whole margin passes a test
in 5 % of cases, whatever n. `benchmarks/studies/gate.toml` says what was measured for the margins of the suite's own
gate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ness_bench.errors import NessBenchError
from ness_bench.statistics.student import non_inferiority
from ness_bench.studies.baseline import Baseline, CellBaseline, decimals, gated, values_of
from ness_bench.studies.metrics import metric_named
from ness_bench.studies.study import Study


@dataclass(frozen=True)
class Check:
    """A method in a cell, held against itself by one metric. Values and differences are in the metric's units.

    Attributes:
        method, size, budget: of the runs.
        metric: by which.
        was, now: means over seeds.
        difference: now − was.
        bound: that the true difference is below or, where more is better, above, at the level of confidence. Of a
            metric that is no merit, the one of its two bounds that is farther from 0.
        margin: that the bound must not reach; below 0 where more is better. Of a metric that is no merit, on either
            side.
        two_sided: whether it is no merit.
        holds: whether its bounds stay within the margin.
        same: whether not one run changed.
    """

    method: str
    size: int
    budget: float
    metric: str
    was: float
    now: float
    difference: float
    bound: float
    margin: float
    two_sided: bool
    holds: bool
    same: bool

    @property
    def decimals(self) -> int:
        """That its numbers are told with: two digits of the margin."""
        return decimals(abs(self.margin), 1)


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        checks: of every cell and metric of the baseline, in its order.
        new: what the study has and the baseline lacks, which was not checked.
    """

    checks: list[Check]
    new: list[str]

    @property
    def fallen(self) -> list[Check]:
        return [check for check in self.checks if not check.holds]


def check(baseline: Baseline, study: Study, records: pd.DataFrame) -> Outcome:
    """Hold a study against a baseline.

    Pairs are the runs of one method, cell and seed. Seeds that the baseline lacks are left out.

    Args:
        baseline: what it has to live up to.
        study: the plan, run again.
        records: all of its runs, a row a run; see `study.load_records`.

    Raises:
        NessBenchError: another kind of study; a plan without margins or with others than the baseline's; another bank
            or cost model; methods, cells or seeds of the baseline that the study lacks.
    """
    plan = gated(study.plan)
    for what, given, expected in (
        ("bank", study.digest, baseline.bank),
        ("cost model", plan.cost_model, baseline.cost_model),
        ("margins", plan.margins, baseline.margins),
    ):
        if given != expected:
            raise NessBenchError(
                f'the {what} of the baseline ({_told(expected)}) and of the study "{plan.name}" ({_told(given)}) '
                "differ, so that the one says nothing of the other; run the plan that the baseline was written from, "
                "or write one from this study"
            )
    cells = values_of(records, baseline.margins)
    missing = [
        f"{cell.called}, seed {seed}"
        for cell in baseline.cells
        for seed in cell.runs
        if seed not in cells.get(cell.key, {})
    ]
    if missing:
        listed = "\n  ".join([*missing[:10], *([f"and {len(missing) - 10} more"] if missing[10:] else [])])
        raise NessBenchError(
            f'the study "{plan.name}" lacks {len(missing)} runs of the baseline; run the plan that it was written '
            f"from, or write a baseline from this study. It lacks:\n  {listed}"
        )
    known = {cell.key for cell in baseline.cells}
    return Outcome(
        [
            _checked(cell, cells[cell.key], metric, margin, baseline.level)
            for cell in baseline.cells
            for metric, margin in baseline.margins.items()
        ],
        [
            f"{method}, size {size}, budget {budget:g}"
            for method, size, budget in cells
            if (method, size, budget) not in known
        ],
    )


def _checked(cell: CellBaseline, runs: dict[str, dict[str, float]], metric: str, margin: float, level: float) -> Check:
    was = [values[metric] for values in cell.runs.values()]
    now = [runs[seed][metric] for seed in cell.runs]
    better = metric_named(metric).better
    sign = -1 if better == "↑" else 1
    differences = [sign * (new - old) for new, old in zip(now, was, strict=True)]
    tested = non_inferiority(differences, margin, level)
    bound = tested.bound if better else max(tested.lower, tested.bound, key=abs)
    return Check(
        method=cell.method,
        size=cell.size,
        budget=cell.budget,
        metric=metric,
        was=_mean(was),
        now=_mean(now),
        difference=sign * tested.mean,
        bound=sign * bound,
        margin=sign * margin,
        two_sided=not better,
        holds=(bound if better else abs(bound)) < margin,
        same=not any(differences),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _told(value: str | dict[str, float]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {of:g}" for name, of in value.items())
    return value[:16]
