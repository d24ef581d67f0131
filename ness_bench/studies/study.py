"""A study on disk: its plan, one record a run, the environment, and seconds beside them.

    study.json          schema, version of ness_bench, the plan as understood, what it calls every run, by its id
    runs/ID.json        a record a run; content-addressed, whole or absent
    seconds.csv         real seconds a run: kept apart, since records are the same on every machine
    environment.json    versions and machine at its beginning

Stopped anywhere, a study goes on where it was: a finished run is never repeated, a failed one is tried again. One
process at a time writes into a folder, whatever the number of workers.
"""

import fcntl
import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ness_bench import __version__
from ness_bench.engines.engine import Engine
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.studies.plan import Plan
from ness_bench.studies.plan_file import parse_plan
from ness_bench.studies.run import SCHEMA, Run, execute, failed, id_of


@dataclass(frozen=True)
class Study:
    """What a folder says of its study.

    Attributes:
        plan: as it was run.
        version: of ness_bench, that ran it.
        digest: of the bank or table that it looks up.
        runs: by the id of every run of the plan its title, and those fields that the id does not cover: what the run is
            called, where the bank or table lies.
        environment: versions and machine at its beginning.
    """

    plan: Plan
    version: str
    digest: str
    runs: dict[str, dict[str, str]]
    environment: dict[str, Any]


def read_study(folder: Path) -> Study:
    """What a study folder holds, whichever version of ness_bench ran it.

    Raises:
        NessBenchError: it is no study, or of another schema.
    """
    path = folder / "study.json"
    if not path.is_file():
        old = (folder / "plan.json").is_file()
        raise NessBenchError(
            f"{folder} holds a study of an older ness_bench (schema 1; this one reads {SCHEMA}); run its plan again "
            "into another folder"
            if old
            else f"{folder} holds no study: study.json is missing; `ness-bench study run` makes one"
        )
    try:
        content = json.loads(path.read_bytes())
        schema = content["schema"]
        if schema != SCHEMA:
            raise NessBenchError(
                f"{path} is of schema {schema}, and this ness_bench ({__version__}) reads {SCHEMA}; use the version "
                f"that wrote it ({content.get('ness_bench', 'unknown')}), or run the plan again into another folder"
            )
        environment = json.loads((folder / "environment.json").read_bytes())
        plan = parse_plan(path, content["plan"])
        runs = {
            run_id: {field: called[field] for field in ("title", *plan.RUN.UNNAMED)}
            for run_id, called in content["runs"].items()
        }
        return Study(plan, content["ness_bench"], content["digest"], runs, environment)
    except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise NessBenchError(
            f"{path}, or environment.json beside it, is damaged ({error!r}); take them from a copy, or remove the "
            "folder and run the plan again"
        ) from None


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        runs: of the plan.
        left: of them, to do now.
        damaged: records that were not whole; their runs are among those left.
    """

    runs: int
    left: int
    damaged: int


def run(
    plan: Plan,
    folder: Path,
    engine: Engine,
    begun: Callable[[Progress], None],
    done: Callable[[], None],
    timeout: float | None = None,
) -> list[str]:
    """Do what of a plan is not done yet.

    Args:
        plan: what to run.
        folder: where records go; made if it is not there.
        engine: where runs are done.
        begun: called once, before the first run.
        done: called after each run.
        timeout: seconds that one run may take.

    Returns:
        The errors of failed runs, each once.

    Raises:
        NessBenchError: the plan is not consistent, the folder holds another plan's runs or is being written to.
    """
    runs = plan.runs()
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _claim(folder, plan, runs)
        (folder / "runs").mkdir(exist_ok=True)
        states = [_state(folder, one) for one in runs]
        left = [one for one, state in zip(runs, states, strict=True) if state != "done"]
        begun(Progress(len(runs), len(left), states.count("damaged")))
        errors: dict[str, list[str]] = {}
        with _seconds_file(folder) as note_seconds:
            for ended in engine.map(execute, left, timeout):
                record = ended.result if ended.lost is None else failed(ended.job, ended.lost)
                assert record is not None, "a run that is not lost has a record"
                if "error" in record:
                    errors.setdefault(record["error"], []).append(ended.job.title)
                note_seconds(record["id"], ended.seconds)  # first: a finished run has its seconds
                _write_json(_record_path(folder, record["id"]), record)
                done()
    return [
        f"{', '.join(titles[:1])}{f' and {len(titles) - 1} more' if titles[1:] else ''}: {error}"
        for error, titles in errors.items()
    ]


def load_records(folder: Path) -> pd.DataFrame:
    """A study's records, a row a run; see the `row` of its runs. Column `real_seconds`: NaN where unknown.

    Raises:
        NessBenchError: runs are missing or failed; they are listed.
    """
    study = read_study(folder)
    seconds = _read_seconds(folder)
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for run_id, called in study.runs.items():
        record = _read_record(folder, run_id, study.plan.RUN)
        if record is None:
            missing.append(f"  {called['title']}: its record is damaged")
        elif "error" in record:
            missing.append(f"  {called['title']}: {record['error']}")
        else:
            one = study.plan.RUN(**record["spec"], **{field: called[field] for field in study.plan.RUN.UNNAMED})
            rows.append({"real_seconds": seconds.get(run_id, math.nan)} | one.row(record["result"]))
    if missing:
        listed = "\n".join(missing[:10] + ([f"  and {len(missing) - 10} more"] if len(missing) > 10 else []))
        raise NessBenchError(
            f"{folder} lacks {len(missing)} of {len(missing) + len(rows)} runs, and a table of an incomplete grid "
            f"would mislead; `ness-bench study run` does those that were not run:\n{listed}"
        )
    return pd.DataFrame(rows)


def finished(folder: Path, runs: Sequence[Run]) -> int:
    """How many of some runs a folder, which need not be there, holds whole records of."""
    return sum(_state(folder, one) == "done" for one in runs)


def _write_json(path: Path, content: Any, sort: bool = True) -> None:
    text = json.dumps(content, indent=1, sort_keys=sort) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def _refuse_foreign(folder: Path) -> None:
    """
    Raises:
        NessBenchError: there is something that is no study.
    """
    if (folder / "study.json").is_file():
        return
    if (folder / "plan.json").is_file():
        read_study(folder)  # an older study: refused with what to do about it
    if folder.exists() and not (
        folder.is_dir() and all(p.name.startswith(".") or p.name == "environment.json" for p in folder.iterdir())
    ):
        raise NessBenchError(f"{folder} is neither an empty folder nor a study; choose another --out")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes; the hold ends with this process, however that ends.

    Raises:
        NessBenchError: another process has it.
    """
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NessBenchError(
                f"another process is running the study in {folder}; wait for it, or choose another --out"
            ) from None
        yield


def _claim(folder: Path, plan: Plan, runs: Sequence[Run]) -> None:
    """Mark a folder as this plan's.

    Raises:
        NessBenchError: it holds the runs of another plan, or of another version of ness_bench.
    """
    path = folder / "study.json"
    called = {id_of(one): {"title": one.title} | {name: getattr(one, name) for name in one.UNNAMED} for one in runs}
    if path.is_file():
        kept = read_study(folder)
        if kept.version != __version__:
            raise NessBenchError(
                f"the runs in {folder} are those of ness_bench {kept.version}, and this is {__version__}, whose runs "
                "may differ; choose another --out, and compare the two by `ness-bench report compare`"
            )
        if kept.runs.keys() != called.keys():
            raise NessBenchError(
                f"{folder} holds the runs of another plan (compare {path}); choose another --out, or remove the folder"
            )
        if kept.plan == plan:  # else it calls or shows things in another way
            return
    else:
        _write_json(folder / "environment.json", _environment())
    content = {
        "schema": SCHEMA,
        "ness_bench": __version__,
        "plan": plan.model_dump(),
        "digest": runs[0].digest,
        "runs": called,
    }
    _write_json(path, content, sort=False)  # reports keep the plan's order


def _environment() -> dict[str, Any]:
    packages = ("ness_bench", "numpy", "numba", "pandas", "scipy", "torch")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        **{package: version(package) for package in packages},
    }


def _record_path(folder: Path, run_id: str) -> Path:
    return folder / "runs" / f"{run_id}.json"


def _read_record(folder: Path, run_id: str, kind: type[Run]) -> dict[str, Any] | None:
    """The record of a run; one with the key `error` where it failed or has not been run; None if it is not whole.

    Raises:
        NessBenchError: it is of another schema.
    """
    path = _record_path(folder, run_id)
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        schema = record["schema"]
        specified = record["id"] == run_id and isinstance(record["spec"], dict)
        whole = specified and ("error" in record or set(record["result"]) == kind.RESULT)
    except FileNotFoundError:
        return {"error": "not run yet"}
    except (ValueError, KeyError, TypeError):
        return None
    if schema != SCHEMA:
        raise NessBenchError(
            f"{path} is a record of schema {schema} in a study of schema {SCHEMA}; the two are never mixed: remove it, "
            "and `ness-bench study run` does the run again"
        )
    return record if whole else None


def _state(folder: Path, run: Run) -> str:
    """done, failed (or not run yet), or damaged."""
    record = _read_record(folder, id_of(run), type(run))
    return "damaged" if record is None else "failed" if "error" in record else "done"


@contextmanager
def _seconds_file(folder: Path) -> Iterator[Callable[[str, float], None]]:
    """Gives a function that notes the seconds of a run, on the disk when it returns."""
    path = folder / "seconds.csv"
    torn = path.is_file() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:

        def note(run_id: str, seconds: float) -> None:
            file.write(f"{run_id},{seconds:.4f}\n")
            file.flush()
            os.fsync(file.fileno())

        if torn:  # a power cut in mid-line
            file.write("\n")
        elif path.stat().st_size == 0:
            file.write("id,seconds\n")
        yield note


def _read_seconds(folder: Path) -> dict[str, float]:
    """Real seconds by run, the last that were noted; what is no line of the file's form is passed over."""
    path, found = folder / "seconds.csv", {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        run_id, _, seconds = line.partition(",")
        if len(run_id) == 16 and seconds.replace(".", "", 1).isdigit():
            found[run_id] = float(seconds)
    return found
