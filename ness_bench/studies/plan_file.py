"""Reading plans: the TOML files that people write, and what a study keeps of one."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ness_bench.errors import NessBenchError, nearest
from ness_bench.studies.ablations import AblatedMethod, AblationPlan
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.plan import MethodPlan, Plan, SweptMethod
from ness_bench.studies.samplers import SamplerPlan
from ness_bench.studies.trials import TrialPlan

_KINDS: dict[str, type[Plan]] = {
    "factors": AblationPlan,
    "bank": EnsemblePlan,
    "protocol": TrialPlan,
    "temperatures": SamplerPlan,
}
"""The key that a plan of each kind has. A study of factors is on a bank as well; no other has two."""


def read_plan(path: Path, preset: str | None = None) -> Plan:
    """Read and check a plan file, every preset of it included.

    Args:
        path: of the TOML file.
        preset: the table of `presets` whose keys replace the plan's own; the study is named after both.

    Raises:
        NessBenchError: no file, no TOML, an unknown key (the nearest known one is named), a missing or ill-typed value,
            an unknown preset, a preset with a name.
    """
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise NessBenchError(f"there is no plan {path}; benchmarks/studies/ holds examples") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise NessBenchError(f"plan {path} cannot be read as TOML: {error}") from None
    presets = content.pop("presets", {})
    if not isinstance(presets, dict) or not all(isinstance(changes, dict) for changes in presets.values()):
        raise NessBenchError(f"plan {path}: presets must be tables, such as [presets.smoke]")
    if preset is not None and preset not in presets:
        known = f"it has: {', '.join(presets)}" if presets else "it has none"
        raise NessBenchError(f'plan {path} has no preset "{preset}"{nearest(preset, list(presets))}; {known}')
    own = _checked(f"plan {path}", content)
    for name, changes in presets.items():
        if "name" in changes:
            raise NessBenchError(
                f"plan {path}, preset {name}: a preset gives no name, its study is called {own.name}-{name}; remove "
                'the key "name"'
            )
    scaled = {
        name: _checked(f"plan {path}, preset {name}", content | changes | {"name": f"{own.name}-{name}"})
        for name, changes in presets.items()
    }
    return own if preset is None else scaled[preset]


def parse_plan(path: Path, content: Any) -> Plan:
    """What a study keeps of its plan.

    Args:
        path: where it is kept, for messages.
        content: `model_dump` of a plan.

    Raises:
        NessBenchError: it is no plan that this version reads.
    """
    return _checked(f"the plan in {path}", content)


def _checked(called: str, content: Any) -> Plan:
    kinds = [kind for key, kind in _KINDS.items() if isinstance(content, dict) and key in content]
    if AblationPlan in kinds:
        kinds = [kind for kind in kinds if kind is not EnsemblePlan]
    if len(kinds) != 1:
        raise NessBenchError(
            f"{called} must have exactly one of the keys {', '.join(_KINDS)}, which say what kind of study it is; "
            "benchmarks/studies/ holds an example of each"
        )
    try:
        return kinds[0].model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_explain(problem, kinds[0]) for problem in error.errors())
        raise NessBenchError(f"{called}: {faults}") from None


def _explain(problem: Any, kind: type[Plan]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        of_method: type[MethodPlan] = AblatedMethod if kind is AblationPlan else SweptMethod
        known = list((of_method if problem["loc"][0] == "methods" else kind).model_fields)
        return f'unknown key "{where}"{nearest(str(problem["loc"][-1]), known)}; known: {", ".join(known)}'
    if problem["type"] == "missing":
        return f'key "{where}" is missing'
    return f"{where}: {problem['msg']} (given: {problem['input']!r})"
