import os
import re
import shutil
import time
from pathlib import Path

import pytest
from engine_jobs import attempts, complex_number, killed, lasting, raising, sleep, square, threads

from ness_bench.engines.engine import ATTEMPTS
from ness_bench.engines.slurm import LOCAL, Slurm
from ness_bench.errors import NessBenchError

submitit = pytest.importorskip("submitit", reason="the engine slurm is an extra: pip install 'ness_bench[slurm]'")

SHARED = os.environ.get("NESS_BENCH_SLURM_FOLDER")
"""A folder that all machines of a SLURM cluster see. Where it is set, these tests submit jobs to that cluster, too."""

a_cluster = pytest.mark.skipif(not SHARED, reason="set NESS_BENCH_SLURM_FOLDER on a SLURM cluster")


@pytest.fixture(params=[LOCAL, pytest.param(None, marks=a_cluster)], ids=["local", "slurm"])
def cluster(request):
    return request.param


@pytest.fixture
def folder(cluster, tmp_path):
    return tmp_path if cluster == LOCAL else Path(shutil.copytree(tmp_path, Path(SHARED) / tmp_path.name))


@pytest.fixture
def engine(cluster, folder, monkeypatch):
    """One that fails where it would unpickle what a task wrote."""

    def forbidden(*arguments):
        raise AssertionError("a pickle is read")

    monkeypatch.setattr(submitit.core.utils, "pickle_load", forbidden)
    return Slurm(folder / "study", 2, {"time": 2}, cluster)


@pytest.fixture
def begun(folder):
    (made := folder / "begun").mkdir()
    return made


def test_each_job_is_done_once_and_nothing_stays(engine):
    done = list(engine.map(square, range(100)))
    assert sorted((one.job, one.result, one.lost) for one in done) == [(n, n**2, None) for n in range(100)]
    assert all(0 <= one.seconds < 1 for one in done)
    assert list(engine.folder.iterdir()) == []
    assert [one.result for one in engine.map(threads, [0, 0])] == ["1", "1"]


def test_a_killed_task_costs_the_job_that_it_was_at_one_attempt(engine, begun):
    done = {one.job[1]: one for one in engine.map(killed, [(begun, number) for number in range(12)])}
    assert {number: one.result for number, one in done.items()} == {n: None if n == 3 else n**2 for n in range(12)}
    times = {number: len(attempts(begun, number)) for number in range(12)}
    assert times == {n: ATTEMPTS if n == 3 else 2 if n % 5 == 0 else 1 for n in range(12)}
    why = r"its SLURM task ended 3 times before it was done; (\S+) (says nothing|ends with .*)"
    log = Path(re.fullmatch(why, done[3].lost)[1])
    assert log.is_file()
    assert log.is_relative_to(engine.folder / ".slurm")


def test_where_tasks_do_not_get_as_far_as_their_jobs_all_are_lost(engine, begun, monkeypatch):
    """As where a machine of the cluster lacks what the jobs need."""
    monkeypatch.setenv("PYTHONPATH", str(begun))
    done = list(engine.map(square, range(6)))
    assert sorted(one.job for one in done) == list(range(6))
    assert all("ModuleNotFoundError: No module named 'engine_jobs'" in one.lost for one in done)


def test_a_job_that_takes_too_long_is_ended_and_its_task_goes_on(engine):
    begin = time.monotonic()
    done = list(engine.map(sleep, [60.0, 60.0, *[0.01] * 6], timeout=1.5))
    assert time.monotonic() - begin < 30
    assert [one.lost for one in done if one.job == 60.0] == [
        "took longer than 1.5 s, the most that --timeout allows"
    ] * 2
    assert [one.result for one in done if one.job != 60.0] == [0.01] * 6


def test_errors_reach_the_caller_and_tasks_are_cancelled(engine, begun):
    with pytest.raises(RuntimeError, match=r"Traceback(.|\n)*KeyError: 'three'"):
        list(engine.map(raising, [(begun, number) for number in range(100)]))
    assert len(attempts(begun)) < 60
    with pytest.raises(NessBenchError, match=r"^a number is negative$"):
        list(engine.map(raising, [(begun, -1)]))
    with pytest.raises(RuntimeError, match="complex is not JSON serializable"):
        list(engine.map(complex_number, [0]))


def test_where_the_caller_stops_tasks_are_cancelled(engine, begun):
    jobs = engine.map(lasting, [(begun, number, 0.0 if number < 2 else 3.0) for number in range(20)])
    assert next(jobs).lost is None
    jobs.close()
    time.sleep(3.0)
    assert len(attempts(begun)) <= 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitoin": "long"}, 'no option "partitoin"; did you mean "partition".*allowed are: account, .*, wckey'),
        ({"array_parallelism": 3}, 'no option "array_parallelism"'),
        ({"time": "2:00:00"}, "time is 2:00:00; give whole minutes"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(NessBenchError, match=message):
        next(Slurm(tmp_path, 1, options, LOCAL).map(square, [1]))


def test_a_machine_without_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NessBenchError, match=r"no SLURM on this machine.*--slurm cluster=local"):
        next(Slurm(tmp_path, 1, {}).map(square, [1]))
    with pytest.raises(NessBenchError, match='no SLURM cluster "big"'):
        next(Slurm(tmp_path, 1, {}, "big").map(square, [1]))
