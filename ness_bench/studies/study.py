"""A study on disk: its plan, one record a run, the environment, and seconds beside them.

    plan.json           the plan as run
    runs/ID.json        a record a run; content-addressed, whole or absent
    seconds.csv         real seconds a run: kept apart, since records are the same on every machine
    environment.json    versions and machine at its beginning

Stopped anywhere, a study goes on where it was: a finished run is never repeated, a failed one is tried again.
"""

import json
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ness_bench.engines.processes import map_processes
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.studies.plan import Plan
from ness_bench.studies.plan_file import read_kept_plan
from ness_bench.studies.run import Run, execute, id_of


def _write_json(path: Path, content: Any, sort: bool = True) -> None:
    text = json.dumps(content, indent=1, sort_keys=sort) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def _record_path(folder: Path, run: Run) -> Path:
    return folder / "runs" / f"{id_of(run)}.json"


def _claim(folder: Path, plan: Plan) -> None:
    """Mark a folder as this plan's.

    Raises:
        NessBenchError: it holds another plan's runs.
    """
    path = folder / "plan.json"
    if path.is_file():
        if read_plan_of(folder) != plan:
            raise NessBenchError(
                f"{folder} holds the runs of another plan (compare {path}); choose another --out, or remove the folder"
            )
        return
    if folder.exists() and not (folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())):
        raise NessBenchError(f"{folder} is neither an empty folder nor a study; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(path, plan.model_dump(), sort=False)  # reports keep the plan's order


def _read_record(folder: Path, run: Run) -> dict[str, Any]:
    """The record of a run; one with the key `error` where it failed or has not been run.

    Raises:
        NessBenchError: the file is damaged.
    """
    path = _record_path(folder, run)
    if not path.is_file():
        return {"error": "not run yet"}
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        whole = record["id"] == id_of(run) and ("error" in record or set(record["result"]) == run.RESULT)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise NessBenchError(f"{path} is damaged; remove it, and `ness-bench study run` does the run again")
    return record


def read_plan_of(folder: Path) -> Plan:
    """The plan that a study folder was run with.

    Raises:
        NessBenchError: it is no study.
    """
    path = folder / "plan.json"
    if not path.is_file():
        raise NessBenchError(f"{folder} holds no study: plan.json is missing; `ness-bench study run` makes one")
    return read_kept_plan(path)


def _environment() -> dict[str, Any]:
    packages = ("ness_bench", "numpy", "pandas", "scipy", "torch")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        **{package: version(package) for package in packages},
    }


def run(plan: Plan, folder: Path, jobs: int, begun: Callable[[int, int], None], done: Callable[[], None]) -> list[str]:
    """Do what of a plan is not done yet.

    Args:
        plan: what to run.
        folder: where records go; made if it is not there.
        jobs: worker processes.
        begun: called once with (runs of the plan, runs already done).
        done: called after each run.

    Returns:
        The errors of failed runs, each once.

    Raises:
        NessBenchError: the plan is not consistent, or the folder holds another plan's runs.
    """
    runs = plan.runs()
    _claim(folder, plan)
    (folder / "runs").mkdir(exist_ok=True)
    if not (folder / "environment.json").is_file():
        _write_json(folder / "environment.json", _environment())
    left = [one for one in runs if "error" in _read_record(folder, one)]
    begun(len(runs), len(runs) - len(left))
    errors: dict[str, list[str]] = {}
    with (folder / "seconds.csv").open("a") as seconds_file:
        for one, record, seconds in map_processes(execute, left, jobs):
            if "error" in record:
                errors.setdefault(record["error"], []).append(one.title)
            seconds_file.write(f"{id_of(one)},{seconds:.4f}\n")
            _write_json(_record_path(folder, one), record)
            done()
    return [
        f"{', '.join(titles[:1])}{f' and {len(titles) - 1} more' if titles[1:] else ''}: {error}"
        for error, titles in errors.items()
    ]


def load_records(folder: Path) -> pd.DataFrame:
    """A study's records, a row a run; see the `row` of its runs.

    Raises:
        NessBenchError: runs are missing or failed; they are listed.
    """
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for one in read_plan_of(folder).runs():
        record = _read_record(folder, one)
        if "error" in record:
            missing.append(f"  {one.title}: {record['error']}")
        else:
            rows.append(one.row(record["result"]))
    if missing:
        listed = "\n".join(missing[:10] + ([f"  and {len(missing) - 10} more"] if len(missing) > 10 else []))
        raise NessBenchError(
            f"{folder} lacks {len(missing)} of {len(missing) + len(rows)} runs, and a table of an incomplete grid "
            f"would mislead; `ness-bench study run` does those that were not run:\n{listed}"
        )
    return pd.DataFrame(rows)
