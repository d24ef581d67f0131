"""A study is killed 50 times, at random moments and in every way, and ends as if nothing had been."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from small_plan import do, plan, records, write

_FORKS = """
import json, os, sys
from pathlib import Path
from ness_bench.engines.processes import Processes
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.run import execute
from ness_bench.studies.study import run

plan, folder = read_plan(Path(sys.argv[1])), Path(sys.argv[2])
execute(plan.runs()[-1])  # opens the bank, loads what is compiled
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        run(plan, folder, Processes(1), lambda state: None, lambda: None)
        os._exit(0)
    print(child, flush=True)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
"""
"""A study in a fork of a process that has everything open already: it starts in milliseconds."""


@pytest.fixture
def chance():
    return random.Random(0)


def whole(folder):
    """The finished records, each with what changes when it is written again."""
    found = {}
    for path in folder.glob("runs/*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            continue
        found[path.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def _wait_for(records, folder):
    deadline = time.monotonic() + 60
    while len(list(folder.glob("runs/*.json"))) < records:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def cut(folder, chance):
    """What a power cut may leave of the newest file."""
    files = [*(folder / "runs").glob("*.json"), folder / "seconds.csv"]
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    content = newest.read_bytes()
    last_line = content.rstrip(b"\n").rfind(b"\n") + 1 if newest.suffix == ".csv" else 0
    os.truncate(newest, chance.randrange(last_line, len(content)))


def test_killed_50_times_nothing_is_lost_or_repeated(bank, tmp_path, chance):
    study = plan(bank, repetitions=60, methods=["nes-rs", "random-ensemble", "nes-re"])
    file = write(tmp_path / "plan.toml", study)
    do(study, tmp_path / "undisturbed")
    folder, finished, killed, progress = tmp_path / "killed", {}, 0, []
    forks = subprocess.Popen(
        [sys.executable, "-c", _FORKS, str(file), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while killed < 50:
        print("again", file=forks.stdin, flush=True)
        child = int(forks.stdout.readline())
        _wait_for(len(finished) + chance.randrange(8), folder)
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        assert int(forks.stdout.readline()) == -signal.SIGKILL, "it has to be killed in mid-work"
        killed += 1
        now = whole(folder)
        assert all(now.get(name) == state for name, state in finished.items())
        progress.append(len(now))
        if killed % 3 == 0 and now:
            cut(folder, chance)
        finished = whole(folder)
    forks.communicate()
    assert len(set(progress)) > 20
    do(study, folder)
    assert records(folder) == records(tmp_path / "undisturbed")
    assert whole(folder).items() >= finished.items()


@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_a_study_on_two_workers_is_killed(bank, tmp_path, victim):
    """Of a worker only its run is begun again; a killed parent takes its workers along."""
    study = plan(bank, repetitions=40, reports=["tables"])
    file = write(tmp_path / "plan.toml", study)
    do(study, tmp_path / "undisturbed")
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "ness_bench.cli", "study", "run", str(file), "--out", str(folder), "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _wait_for(1, folder)
    workers = _workers(process.pid)
    while len(workers) < 2:  # one may be between its fork and its exec, and is called like its parent till then
        assert process.poll() is None
        time.sleep(0.01)
        workers = _workers(process.pid)
    os.kill(process.pid if victim == "parent" else workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if victim == "parent" else 0), errors
    deadline = time.monotonic() + 60
    while any(map(_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if victim == "parent":
        assert 0 < len(whole(folder)) < len(records(tmp_path / "undisturbed"))
        do(study, folder, jobs=2)
    assert records(folder) == records(tmp_path / "undisturbed")


def _workers(parent):
    """Children that were spawned to work; not the resource tracker."""
    found = []
    for thread in Path(f"/proc/{parent}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for child in (thread / "children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def _alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
