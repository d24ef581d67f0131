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

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError

from ness_bench import __version__
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.statistics.student import non_inferiority
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.metrics import metric_named
from ness_bench.studies.plan import Plan, Strict
from ness_bench.studies.study import Study

SCHEMA = 1
"""Of baselines: raised when a key of them changes its meaning."""

LEVEL = 0.95
"""Confidence of each one-sided bound."""

_DIGITS = 6
"""A value is kept to so many digits more than the first of its margin."""

Seed = Annotated[str, Field(pattern=r"^\d+$")]
"""Keys of JSON are strings."""


class CellBaseline(Strict):
    """A method in a cell: what its runs scored.

    Attributes:
        method: what the study called it.
        size: members of an ensemble.
        budget: in TE.
        runs: by seed the value of each metric.
    """

    method: str
    size: PositiveInt
    budget: PositiveFloat
    runs: dict[Seed, dict[str, float]] = Field(min_length=2)


class Baseline(Strict):
    """What later runs of a plan are held against.

    Attributes:
        ness_bench: version that ran the study.
        study: its name.
        bank: digest of the bank.
        cost_model: that budgets were counted by.
        reason: why this is what later runs are held against.
        date: when it was written, UTC, as in 2025-01-31.
        level: of confidence of each one-sided bound.
        margins: by metric, in its units.
        cells: in the order of the study's runs.
    """

    ness_bench: str
    study: str
    bank: str
    cost_model: str
    reason: Annotated[str, Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    level: Annotated[float, Field(gt=0.5, lt=1)]
    margins: dict[str, PositiveFloat] = Field(min_length=1)
    cells: list[CellBaseline] = Field(min_length=1)

    @property
    def repetitions(self) -> int:
        """Seeds of a cell."""
        return max(len(cell.runs) for cell in self.cells)


def baseline_of(study: Study, records: pd.DataFrame, reason: str, day: date) -> Baseline:
    """The baseline that a finished study gives.

    Args:
        study: of a plan of ensembles with margins.
        records: all of its runs, a row a run; see `study.load_records`.
        reason: why this is what later runs are held against.
        day: today, UTC.

    Raises:
        NessBenchError: no reason, another kind of study, a plan without margins, or with a single repetition.
    """
    plan = _gated(study.plan)
    if not reason.strip():
        raise NessBenchError("a baseline needs a reason, in words: what changed, and why it is meant to")
    if plan.repetitions < 2:
        raise NessBenchError(
            f'plan "{plan.name}" has one repetition, which gives no confidence bound; give it 2 or more, such as 20'
        )
    return Baseline(
        ness_bench=study.version,
        study=plan.name,
        bank=study.digest,
        cost_model=plan.cost_model,
        reason=reason.strip(),
        date=day.isoformat(),
        level=LEVEL,
        margins=plan.margins,
        cells=[
            CellBaseline(method=method, size=size, budget=budget, runs=runs)
            for (method, size, budget), runs in _cells(records, plan.margins).items()
        ],
    )


def _gated(plan: Plan) -> EnsemblePlan:
    """
    Raises:
        NessBenchError: the plan cannot be held against a baseline.
    """
    if not isinstance(plan, EnsemblePlan):
        raise NessBenchError(f'plan "{plan.name}" is no study of ensembles, which are what the gate can check')
    if not plan.margins:
        raise NessBenchError(
            f'plan "{plan.name}" has no margins; say by how much a metric may get worse, in its units, as in '
            "margins = { nll = 0.015 }, and run it again"
        )
    return plan


def _cells(
    records: pd.DataFrame, margins: dict[str, float]
) -> dict[tuple[str, int, float], dict[str, dict[str, float]]]:
    """By (method, size, budget) and seed the value of each metric, rounded by its margin."""
    cells: dict[tuple[str, int, float], dict[str, dict[str, float]]] = {}
    for row in records.to_dict("records"):
        values = {metric: round(float(row[metric]), _decimals(margin, _DIGITS)) for metric, margin in margins.items()}
        cells.setdefault((row["method"], row["size"], row["budget"]), {})[str(row["seed"])] = values
    return cells


def _decimals(margin: float, digits: int) -> int:
    """Decimals at which a margin, and so many digits after its first, are told."""
    return max(digits - math.floor(math.log10(margin)), 0)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline as JSON with one line a run, so that a diff shows which runs changed."""
    text = "".join(_lines({"schema": SCHEMA, **baseline.model_dump()})) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(text.encode()))


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """JSON in which only what holds nothing nested stands on one line."""
    nested = isinstance(value, (dict, list)) and any(
        isinstance(of, (dict, list)) for of in (value.values() if isinstance(value, dict) else value)
    )
    if not nested:
        yield json.dumps(value, ensure_ascii=False)
        return
    within = f"{indent} "
    parts = value.items() if isinstance(value, dict) else ((None, of) for of in value)
    yield "{" if isinstance(value, dict) else "["
    for place, (key, of) in enumerate(parts):
        yield f"{',' if place else ''}\n{within}{'' if key is None else f'{json.dumps(key, ensure_ascii=False)}: '}"
        yield from _lines(of, within)
    yield f"\n{indent}{'}' if isinstance(value, dict) else ']'}"


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        NessBenchError: there is none, it is of another schema, or damaged.
    """
    rewrite = "take it from the repository's history, or write it anew with `ness-bench study baseline`"
    try:
        content = json.loads(path.read_bytes())
        schema = content.pop("schema")
    except FileNotFoundError:
        raise NessBenchError(f"there is no baseline {path}; `ness-bench study baseline` writes one") from None
    except (ValueError, KeyError, TypeError, AttributeError, IsADirectoryError) as error:
        raise NessBenchError(f"baseline {path} is damaged ({error!r}); {rewrite}") from None
    if schema != SCHEMA:
        raise NessBenchError(
            f"baseline {path} is of schema {schema}, and this ness_bench ({__version__}) reads {SCHEMA}; use the "
            f"version that wrote it ({content.get('ness_bench', 'unknown')}), or write it anew"
        )
    try:
        baseline = Baseline.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NessBenchError(f"baseline {path} is damaged ({where}: {first['msg']}); {rewrite}") from None
    for cell in baseline.cells:
        for seed, values in cell.runs.items():
            if values.keys() != baseline.margins.keys():
                raise NessBenchError(
                    f"baseline {path} is damaged ({_called(cell)}, seed {seed} has the metrics {', '.join(values)}, "
                    f"and its margins are of {', '.join(baseline.margins)}); {rewrite}"
                )
    for metric in baseline.margins:
        metric_named(metric)  # refuses what no installed package knows
    return baseline


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
        return _decimals(abs(self.margin), 1)


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
    plan = _gated(study.plan)
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
    cells = _cells(records, baseline.margins)
    missing = [
        f"{_called(cell)}, seed {seed}"
        for cell in baseline.cells
        for seed in cell.runs
        if seed not in cells.get(_key(cell), {})
    ]
    if missing:
        listed = "\n  ".join([*missing[:10], *([f"and {len(missing) - 10} more"] if missing[10:] else [])])
        raise NessBenchError(
            f'the study "{plan.name}" lacks {len(missing)} runs of the baseline; run the plan that it was written '
            f"from, or write a baseline from this study. It lacks:\n  {listed}"
        )
    known = {_key(cell) for cell in baseline.cells}
    return Outcome(
        [
            _checked(cell, cells[_key(cell)], metric, margin, baseline.level)
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


def _key(cell: CellBaseline) -> tuple[str, int, float]:
    return cell.method, cell.size, cell.budget


def _called(cell: CellBaseline) -> str:
    return f"{cell.method}, size {cell.size}, budget {cell.budget:g}"


def _told(value: str | dict[str, float]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {of:g}" for name, of in value.items())
    return value[:16]
