"""A pool of processes on this machine, one thread each."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from ness_bench.errors import NessBenchError

J = TypeVar("J")
R = TypeVar("R")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def _exit_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None, "called in a worker"

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _timed(function: Callable[[J], R], job: J) -> tuple[R, float]:
    begin = time.perf_counter()
    return function(job), time.perf_counter() - begin


def map_processes(function: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[tuple[J, R, float]]:
    """Do jobs in parallel and yield (job, result, seconds) as they complete.

    Args:
        function: importable by name; called in the workers.
        jobs: picklable.
        workers: processes; with 1, jobs are done in this process.

    Raises:
        NessBenchError: a worker was killed.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, *_timed(function, job)
        return
    with _pool(min(workers, len(jobs))) as pool:
        futures = {pool.submit(_timed, function, job): job for job in jobs}
        try:
            for future in as_completed(list(futures)):
                yield futures.pop(future), *future.result()
        except BaseException:  # an error, or the caller stopped listening: begin nothing more
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def apart(function: Callable[..., R], *arguments: object, copies: int) -> list[R]:
    """Call a function in so many processes at once, which leaves this one as it was."""
    with _pool(copies) as pool:
        return [call.result() for call in [pool.submit(function, *arguments) for _ in range(copies)]]


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read by the workers when they import numpy
    context = get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_exit_with_parent) as pool:
            yield pool
    except BrokenProcessPool:
        raise NessBenchError(
            "a worker process was ended from outside, most likely for lack of memory; what is done stays: run the "
            "command again, with fewer --jobs"
        ) from None
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
