"""The baseline of a gate: what the runs of a study scored, kept with the code that later runs are of."""

import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError

from ness_bench import __version__
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
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

    @property
    def key(self) -> tuple[str, int, float]:
        return self.method, self.size, self.budget

    @property
    def called(self) -> str:
        return f"{self.method}, size {self.size}, budget {self.budget:g}"


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
    plan = gated(study.plan)
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
            for (method, size, budget), runs in values_of(records, plan.margins).items()
        ],
    )


def gated(plan: Plan) -> EnsemblePlan:
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


def values_of(
    records: pd.DataFrame, margins: dict[str, float]
) -> dict[tuple[str, int, float], dict[str, dict[str, float]]]:
    """By (method, size, budget) and seed the value of each metric, rounded by its margin."""
    cells: dict[tuple[str, int, float], dict[str, dict[str, float]]] = {}
    for row in records.to_dict("records"):
        values = {metric: round(float(row[metric]), decimals(margin, _DIGITS)) for metric, margin in margins.items()}
        cells.setdefault((row["method"], row["size"], row["budget"]), {})[str(row["seed"])] = values
    return cells


def decimals(margin: float, digits: int) -> int:
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
                    f"baseline {path} is damaged ({cell.called}, seed {seed} has the metrics {', '.join(values)}, "
                    f"and its margins are of {', '.join(baseline.margins)}); {rewrite}"
                )
    for metric in baseline.margins:
        metric_named(metric)  # refuses what no installed package knows
    return baseline
