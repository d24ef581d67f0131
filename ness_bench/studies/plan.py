"""The plan of a study: a TOML file that says what is compared with what.

name = "quick"
bank = "fashion"            # a shipped bank or a folder
sizes = [3, 5]              # members of an ensemble, up to 15
budgets = [20, 40, 80]      # training equivalents (TE)
repetitions = 10            # seeds 0 to 9
methods = ["nes-rs", { name = "ness-mc", label = "ness-mc cold", constants = { temperature = 1.0 } }]
"""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from ness_bench.banks.named import open_named
from ness_bench.ensembles.quantised import MOST_MEMBERS
from ness_bench.errors import NessBenchError, nearest
from ness_bench.methods import method
from ness_bench.studies.run import RunSpec
from ness_bench.tasks.bank import BankTask


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MethodPlan(_Strict):
    """A method of the study, with constants of its own where they differ from the defaults."""

    name: str
    label: str = ""
    constants: dict[str, Any] = {}


def _from_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Plan(_Strict):
    """A study, as its file says it."""

    name: str = Field(pattern=r"^[\w-]+$")
    bank: str
    methods: list[Annotated[MethodPlan, BeforeValidator(_from_name)]] = Field(min_length=1)
    sizes: list[Annotated[PositiveInt, Field(le=MOST_MEMBERS)]] = Field(min_length=1)
    budgets: list[PositiveFloat] = Field(min_length=1)
    repetitions: PositiveInt


def read_plan(path: Path) -> Plan:
    """Read and check a plan file.

    Raises:
        NessBenchError: no file, no TOML, an unknown key (the nearest known one is named), a missing or ill-typed value.
    """
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise NessBenchError(f"there is no plan {path}; benchmarks/studies/ holds examples") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise NessBenchError(f"plan {path} cannot be read as TOML: {error}") from None
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        raise NessBenchError(f"plan {path}: " + "; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model = MethodPlan if problem["loc"][0] == "methods" else Plan
        known = list(model.model_fields)
        return f'unknown key "{where}"{nearest(str(problem["loc"][-1]), known)}; known: {", ".join(known)}'
    if problem["type"] == "missing":
        return f'key "{where}" is missing'
    return f"{where}: {problem['msg']} (given: {problem['input']!r})"


def runs(plan: Plan) -> list[RunSpec]:
    """Every run of a plan, in the order in which they are done: one repetition after the other.

    Raises:
        NessBenchError: an unknown bank, method or constant; a size or budget that the bank rules out; two
            runs that are the same.
    """
    bank = open_named(plan.bank)
    for size in plan.sizes:
        for budget in plan.budgets:
            BankTask.of(bank, size, budget)  # refuses what no method could do
    constants = [asdict(method.create(entry.name, entry.constants)) for entry in plan.methods]
    digest = bank.digest
    specs = [
        RunSpec(entry.name, entry.label or entry.name, plan.bank, digest, size, budget, seed, of_method)
        for seed in range(plan.repetitions)
        for size in plan.sizes
        for budget in plan.budgets
        for entry, of_method in zip(plan.methods, constants, strict=True)
    ]
    first: dict[Any, RunSpec] = {}
    for spec in specs:
        for key in (spec.id, (spec.label, spec.size, spec.budget, spec.repetition)):
            twin = first.setdefault(key, spec)
            if twin is not spec:
                raise NessBenchError(
                    f'plan "{plan.name}" holds the same run twice: {spec.label} and {twin.label}, size {spec.size}, '
                    f"budget {spec.budget:g}, repetition {spec.repetition}; remove one, or give a variant its own label"
                )
    return specs
