"""A pool of processes on this machine, one thread each. A worker that is killed costs the job that it was at."""

import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import connection, get_context, parent_process
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from ness_bench.engines.engine import ATTEMPTS, Done
from ness_bench.errors import NessBenchError

J = TypeVar("J")
R = TypeVar("R")

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Environment variables that numerical libraries read when they are imported."""

_LOOK = 1.0
"""Seconds after which one looks whether the pool is still whole."""


@dataclass(frozen=True)
class Processes:
    """Worker processes on this machine.

    Attributes:
        workers: how many. With 1, and no timeout, jobs are done in this process.
        remedy: what to do about a lack of memory, in the words of whoever asked for workers.
    """

    workers: int
    remedy: str = "give fewer --jobs"

    def map(self, function: Callable[[J], R], jobs: Sequence[J], timeout: float | None = None) -> Iterator[Done[J, R]]:
        """See `Engine.map`."""
        if self.workers > 1 or timeout is not None:
            yield from _in_workers(function, jobs, min(self.workers, max(len(jobs), 1)), timeout, self.remedy)
            return
        for job in jobs:
            result, seconds = timed(function, job)
            yield Done(job, result, None, seconds)


def map_processes(function: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[tuple[J, R, float]]:
    """Do jobs in parallel and yield (job, result, seconds) as they complete.

    Args:
        function: importable by name; called in the workers.
        jobs: picklable.
        workers: processes; with 1, jobs are done in this process.

    Raises:
        NessBenchError: the worker of a job was killed, `ATTEMPTS` times.
    """
    yield from _none_lost(Processes(workers if len(jobs) > 1 else 1).map(function, jobs))


def apart(function: Callable[..., R], *arguments: object, copies: int) -> list[R]:
    """Call a function in so many processes at once, which leaves this one as it was."""
    ended = _in_workers(partial(_call, function), [arguments] * copies, copies, None, "")
    return [result for _, result, _ in _none_lost(ended)]


def timed(function: Callable[[J], R], job: J) -> tuple[R, float]:
    """The result of a job, and the real seconds that it took."""
    begin = time.perf_counter()
    return function(job), time.perf_counter() - begin


def too_long(timeout: float) -> str:
    """Why a job was given up that exceeded its time."""
    return f"took longer than {timeout:g} s, the most that --timeout allows"


def _none_lost(ended: Iterator[Done[J, R]]) -> Iterator[tuple[J, R, float]]:
    for done in ended:
        if done.lost is not None:
            raise NessBenchError(
                "a worker process was ended from outside, most likely for lack of memory; what is done stays: run the "
                "command again, with fewer --jobs"
            )
        yield done.job, done.result, done.seconds  # type: ignore[misc]  # not lost, so it has a result


def _call(function: Callable[..., R], arguments: tuple[object, ...]) -> R:
    return function(*arguments)


@dataclass
class _Held(Generic[J]):
    """A job that is not done.

    Attributes:
        attempts: how often it was handed to the pool.
        begin: when it was for the first time, by the clock of this process.
    """

    job: J
    attempts: int = 0
    begin: float = 0.0


def _in_workers(
    function: Callable[[J], R], jobs: Sequence[J], workers: int, timeout: float | None, remedy: str
) -> Iterator[Done[J, R]]:
    waiting = deque(_Held(job) for job in jobs)
    running: dict[Future[tuple[Any, float]], _Held[J]] = {}
    ended: list[Done[J, R]] = []

    def lost_worker(held: _Held[J], error: BaseException | None) -> None:
        if held.attempts < ATTEMPTS:
            waiting.appendleft(held)
        else:
            ended.append(Done(held.job, None, _why(error, remedy), time.perf_counter() - held.begin))

    with environment(ONE_THREAD):
        pool = _pool(function, workers)
        try:
            while waiting or running:
                if not pool.active:  # it breaks where it cannot tell which job an ended worker was at
                    _stop(pool)
                    pool = _pool(function, workers)
                    for held in running.values():
                        lost_worker(held, None)
                    running.clear()
                while waiting and len(running) < 2 * workers:
                    job = pickle.dumps(waiting[0].job)
                    try:
                        future = pool.schedule(_do, (job,), timeout=timeout)
                    except RuntimeError:  # the pool broke in this moment
                        break
                    running[future] = held = waiting.popleft()
                    held.begin = held.begin or time.perf_counter()
                    held.attempts += 1
                yield from ended  # after more was begun: no worker idles while the caller looks at results
                ended.clear()
                for over in wait(running, _LOOK, FIRST_COMPLETED).done:
                    held, error = running.pop(over), over.exception()
                    if error is None:
                        result, seconds = over.result()
                        ended.append(Done(held.job, result, None, seconds))
                    elif isinstance(error, ProcessExpired | BrokenProcessPool):
                        lost_worker(held, error)
                    elif timeout is not None and isinstance(error, TimeoutError) and error.__cause__ is None:
                        # the pool's own; one that the function raised has the worker's traceback as its cause
                        ended.append(Done(held.job, None, too_long(timeout), timeout))
                    else:
                        yield from ended
                        raise error
            yield from ended
        finally:
            _stop(pool)


def _why(error: BaseException | None, remedy: str) -> str:
    """Why a job was given up whose workers got lost; the last one's error, if it is known which it was."""
    if isinstance(error, ProcessExpired) and error.exitcode != -signal.SIGKILL:
        return f"its worker process ended with exit code {error.exitcode}, {ATTEMPTS} times"
    code = f" (exit code {error.exitcode})" if isinstance(error, ProcessExpired) else ""
    return f"its worker process was ended from outside{code} {ATTEMPTS} times, most likely for lack of memory; {remedy}"


def _pool(function: Callable[[J], R], workers: int) -> ProcessPool:
    return ProcessPool(workers, initializer=_prepare, initargs=(pickle.dumps(function),), context=get_context("spawn"))


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


_function: Callable[[], Callable[[Any], Any]]
"""In a worker: gives the function that its jobs are for."""


def _prepare(function: bytes) -> None:
    """Make a worker ready, so that what the function imports does not count as a job's time."""
    global _function
    _exit_with_parent()
    _function = cache(partial(pickle.loads, function))
    with suppress(Exception):  # the first job raises it again, and what a job raises reaches the caller
        _function()


def _do(job: bytes) -> tuple[Any, float]:
    return timed(_function(), pickle.loads(job))  # read here: where it cannot be, that is an error of the job


def _exit_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None, "called in a worker"

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while; processes that are started meanwhile inherit them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
