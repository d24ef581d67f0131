"""Reading plans: the TOML files that people write, and the `plan.json` that a study keeps."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ness_bench.errors import NessBenchError, nearest
from ness_bench.studies.ablations import AblatedMethod, AblationPlan
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.plan import MethodPlan, Plan
from ness_bench.studies.samplers import SamplerPlan
from ness_bench.studies.trials import TrialPlan

_KINDS: dict[str, type[Plan]] = {
    "factors": AblationPlan,
    "bank": EnsemblePlan,
    "protocol": TrialPlan,
    "temperatures": SamplerPlan,
}
"""The key that a plan of each kind has. A study of factors is on a bank as well; no other has two."""


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
    kind = _kind_of(path, content)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_explain(problem, kind) for problem in error.errors())
        raise NessBenchError(f"plan {path}: {faults}") from None


def read_kept_plan(path: Path) -> Plan:
    """Read the `plan.json` of a study folder.

    Raises:
        NessBenchError: it is no plan that this version reads.
    """
    try:
        content = json.loads(path.read_text())
        return _kind_of(path, content).model_validate_json(path.read_text())
    except (ValueError, NessBenchError) as error:
        raise NessBenchError(f"{path} is no plan that this version reads: {error}") from None


def _kind_of(path: Path, content: Any) -> type[Plan]:
    kinds = [kind for key, kind in _KINDS.items() if isinstance(content, dict) and key in content]
    if AblationPlan in kinds:
        kinds = [kind for kind in kinds if kind is not EnsemblePlan]
    if len(kinds) != 1:
        raise NessBenchError(
            f"plan {path} must have exactly one of the keys {', '.join(_KINDS)}, which say what kind of study it is; "
            "benchmarks/studies/ holds an example of each"
        )
    return kinds[0]


def _method_of(kind: type[Plan]) -> type[MethodPlan]:
    return AblatedMethod if kind is AblationPlan else MethodPlan


def _explain(problem: Any, kind: type[Plan]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = list((_method_of(kind) if problem["loc"][0] == "methods" else kind).model_fields)
        return f'unknown key "{where}"{nearest(str(problem["loc"][-1]), known)}; known: {", ".join(known)}'
    if problem["type"] == "missing":
        return f'key "{where}" is missing'
    return f"{where}: {problem['msg']} (given: {problem['input']!r})"
