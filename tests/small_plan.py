"""A study of 24 runs on the small bank."""

import json

from ness_bench.engines.processes import Processes
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.study import run


def plan(bank, **changes):
    content = {
        "name": "small",
        "bank": str(bank.folder),
        "methods": ["nes-rs", "random-ensemble"],
        "sizes": [2, 3],
        "budgets": [10.0, 20.0],
        "repetitions": 3,
    }
    return EnsemblePlan.model_validate(content | changes)


def write(path, plan):
    lines = [f"{key} = {json.dumps(value)}" for key, value in plan.model_dump().items() if key != "methods"]
    lines.append(f"methods = {json.dumps([method.name for method in plan.methods])}")
    path.write_text("\n".join(lines))
    return path


def do(plan, folder, jobs=1, timeout=None):
    """Run it.

    Returns:
        The errors; how far it was before, and a None for each run that was done.
    """
    done = []
    errors = run(plan, folder, Processes(jobs), done.append, lambda: done.append(None), timeout)
    return errors, done


def records(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").glob("*.json")}
