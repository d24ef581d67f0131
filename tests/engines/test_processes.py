import os
import signal
import subprocess
import sys
import time

import pytest
from engine_jobs import (
    alive,
    attempts,
    killed,
    lasting,
    raising,
    sleep,
    square,
    threads,
    wait_until,
)

from ness_bench.engines.engine import ATTEMPTS, Done
from ness_bench.engines.processes import Processes, apart, map_processes
from ness_bench.errors import NessBenchError


@pytest.mark.parametrize("workers", [1, 3])
def test_each_job_is_done_once(workers):
    done = list(Processes(workers).map(square, range(500)))
    assert sorted((one.job, one.result) for one in done) == [(number, number**2) for number in range(500)]
    assert all(one.lost is None and 0 <= one.seconds < 1 for one in done)


def test_a_killed_worker_costs_its_job_one_attempt(tmp_path):
    done = {one.job[1]: one for one in Processes(2).map(killed, [(tmp_path, number) for number in range(16)])}
    assert {number: one.result for number, one in done.items()} == {n: None if n == 3 else n**2 for n in range(16)}
    begun = {number: len(attempts(tmp_path, number)) for number in range(16)}
    assert begun == {n: ATTEMPTS if n == 3 else 2 if n % 5 == 0 else 1 for n in range(16)}
    assert [one.lost for one in done.values() if one.lost] == [
        "its worker process was ended from outside (exit code -9) 3 times, most likely for lack of memory; "
        "give fewer --jobs"
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_takes_too_long_is_ended(workers):
    jobs = [0.0, 60.0, 0.1, 0.2]
    begin = time.monotonic()
    done = sorted(Processes(workers).map(sleep, jobs, timeout=1.5), key=lambda one: one.job)
    assert time.monotonic() - begin < 20
    assert [one.result for one in done] == [0.0, 0.1, 0.2, None]
    assert done[-1] == Done(60.0, None, "took longer than 1.5 s, the most that --timeout allows", 1.5)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller_and_nothing_more_is_begun(workers, tmp_path):
    with pytest.raises(KeyError, match="three"):
        list(Processes(workers).map(raising, [(tmp_path, number) for number in range(100)]))
    assert len(attempts(tmp_path)) < 15


def test_a_timeout_that_a_job_raises_is_its_error(tmp_path):
    with pytest.raises(TimeoutError, match="of the job"):
        list(Processes(1).map(timing_out, [0], timeout=30))


def timing_out(job):
    raise TimeoutError("of the job")


def test_where_the_caller_stops_the_workers_stop(tmp_path):
    jobs = Processes(2).map(lasting, [(tmp_path, number, 0.0 if number == 0 else 60.0) for number in range(10)])
    assert next(jobs).result == 0
    wait_until(lambda: len(attempts(tmp_path)) == 3)
    jobs.close()
    assert len(attempts(tmp_path)) == 3
    assert not any(map(alive, attempts(tmp_path)))


PROGRAM = """
import sys
from pathlib import Path
from engine_jobs import lasting
from ness_bench.engines.processes import Processes

if __name__ == "__main__":
    list(Processes(2).map(lasting, [(Path(sys.argv[1]), number, 60.0) for number in range(4)]))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (program := tmp_path / "program.py").write_text(PROGRAM)
    (begun := tmp_path / "begun").mkdir()
    parent = subprocess.Popen([sys.executable, program, begun])
    wait_until(lambda: len(attempts(begun)) == 2)
    workers = attempts(begun)
    assert all(map(alive, workers))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(map(alive, workers)))


def test_workers_have_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert {one.result for one in Processes(2).map(threads, range(4))} == {"1"}
    assert threads(0) == "7"


def test_bank_builders_are_told_of_a_lost_job(tmp_path):
    assert sorted(result for _, result, _ in map_processes(square, range(5), 2)) == [0, 1, 4, 9, 16]
    with pytest.raises(NessBenchError, match=r"ended from outside.*what is done stays.*fewer --jobs"):
        list(map_processes(killed, [(tmp_path, number) for number in range(5)], 2))


def test_apart_is_in_other_processes():
    assert apart(os.getpid, copies=1) != [os.getpid()]
