"""A SLURM cluster, through submitit: array tasks that do a share of the jobs each, and write down what came out.

Results come back as JSON files in a folder that all machines see, a file a job, as soon as the job is done. What was
done before a task is killed therefore stays, and nothing is unpickled here that another machine wrote.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from ness_bench.engines.engine import ATTEMPTS, Done
from ness_bench.engines.processes import ONE_THREAD, Processes, environment
from ness_bench.errors import NessBenchError, nearest
from ness_bench.files import write_atomically

J = TypeVar("J")
R = TypeVar("R")

LOCAL = "local"
"""The cluster that is none: array tasks are processes on this machine. To try a study before it goes to a cluster."""

_MOST_TASKS = 1000
"""Of an array: what SLURM allows unless its administrators changed it."""

_MINUTES = 240
"""That SLURM gives an array task where the options do not say; what it has not done by then is handed in again."""

_ARRIVALS = 0.5
"""Seconds after which one looks for new results."""

_QUEUE = {LOCAL: 0.5, None: 10.0}
"""Seconds after which one asks which tasks are still there, by cluster; a whole SLURM cluster shares its answers."""

_OURS = frozenset(
    {
        "additional_parameters",
        "array_parallelism",
        "nodes",
        "ntasks_per_node",
        "num_gpus",
        "setup",
        "srun_args",
        "stderr_to_stdout",
        "teardown",
    }
)
"""Options of submitit's that are set here, or that a word or a number cannot give."""

_RAISED = "raised.json"


@dataclass(frozen=True)
class Slurm:
    """Array jobs of a SLURM cluster.

    The cluster must see this folder, this Python and what jobs read under the same paths, as clusters with a shared
    file system do. Results must be what JSON can hold: a tuple comes back as a list. A command that is killed leaves
    its tasks behind (`scancel --name ness_bench` ends them); one that is interrupted takes them along.

    Attributes:
        folder: a hidden folder is made in it for what goes to the tasks and comes back. It is removed when the jobs are
            done, and stays, with the tasks' logs, where a task was lost with its job or an error ended the work.
        workers: tasks at once, at most.
        options: of the array tasks, by the names that submitit has for sbatch's: `partition`, `time` in minutes (240
            unless given), `mem`, `cpus_per_task`, `account`, …
        cluster: None for the SLURM cluster that this machine belongs to, "local" for processes on this machine, for
            which the options are checked and then left aside.
    """

    folder: Path
    workers: int
    options: Mapping[str, str | int]
    cluster: str | None = None

    def map(self, function: Callable[[J], R], jobs: Sequence[J], timeout: float | None = None) -> Iterator[Done[J, R]]:
        """See `Engine.map`. Results that are lost are handed in again when what runs has ended.

        Raises:
            NessBenchError: submitit is not installed, there is no SLURM here, it refuses the options or the tasks, or
                the function raised one.
            RuntimeError: the function raised another error; it holds the traceback.
        """
        submitit = _submitit()
        self._check(submitit)
        (self.folder / ".slurm").mkdir(parents=True, exist_ok=True)
        spool = Path(tempfile.mkdtemp(prefix="jobs-", dir=self.folder / ".slurm")).resolve()
        executor = self._executor(submitit, spool / "tasks")
        work = _Work(self, executor, function, jobs, timeout, spool)
        yield from work.ended()
        if not work.logs_matter:
            work.wait_for_tasks()  # which write there a little longer than their results
            shutil.rmtree(spool, ignore_errors=True)
            if not any(spool.parent.iterdir()):
                spool.parent.rmdir()

    def _check(self, submitit: ModuleType) -> None:
        if self.cluster not in (None, LOCAL):
            raise NessBenchError(f'there is no SLURM cluster "{self.cluster}"; leave it out, or give "{LOCAL}"')
        if self.cluster is None and shutil.which("srun") is None:
            raise NessBenchError(
                "there is no SLURM on this machine: it has no srun; go to a machine of the cluster, or try the study "
                f"here with --slurm cluster={LOCAL}"
            )
        allowed = sorted(submitit.SlurmExecutor._valid_parameters() - _OURS)
        for name, value in self.options.items():
            if name not in allowed:
                raise NessBenchError(
                    f'SLURM\'s tasks have no option "{name}"{nearest(name, allowed)}; allowed are: {", ".join(allowed)}'
                )
            if name == "time" and not isinstance(value, int):
                raise NessBenchError(f"time is {value}; give whole minutes, as in --slurm time=120")

    def _executor(self, submitit: ModuleType, folder: Path) -> Any:
        if self.cluster == LOCAL:
            executor = submitit.LocalExecutor(folder)
            executor.update_parameters(timeout_min=10 * 365 * 24 * 60)  # it would end tasks after two minutes
            return executor
        options: dict[str, Any] = {"job_name": "ness_bench", "time": _MINUTES, **self.options}
        executor = submitit.SlurmExecutor(folder)
        executor.update_parameters(array_parallelism=self.workers, **options)
        return executor


def _submitit() -> ModuleType:
    try:
        import submitit
    except ModuleNotFoundError as error:
        if error.name != "submitit":
            raise
        raise NessBenchError("the engine slurm needs submitit; pip install 'ness_bench[slurm]'") from None
    return submitit


@dataclass
class _Held(Generic[J]):
    """A job whose result has not arrived.

    Attributes:
        attempts: how often a task was lost that was at this job.
    """

    job: J
    attempts: int = 0


class _Work(Generic[J, R]):
    """Jobs of one call, by number. They are handed in as an array; what that loses, as another when it has ended."""

    def __init__(
        self,
        slurm: Slurm,
        executor: Any,
        function: Callable[[J], R],
        jobs: Sequence[J],
        timeout: float | None,
        spool: Path,
    ) -> None:
        self._slurm, self._executor = slurm, executor
        self._results, self._begun = spool / "results", spool / "begun"
        self._results.mkdir()
        self._begun.mkdir()
        self._do = partial(_do, function, timeout, self._results)
        self._waiting = {number: _Held(job) for number, job in enumerate(jobs)}
        self._begin = time.perf_counter()
        self._tasks: list[Any] = []
        self._numbers = itertools.count()
        self.logs_matter = False

    def ended(self) -> Iterator[Done[J, R]]:
        """Do the jobs; where the caller stops listening, tasks are cancelled."""
        while self._waiting:
            yield from self._array()

    def wait_for_tasks(self, patience: float = 30.0) -> None:
        """Wait until no task is there any more, or patience is at its end, in seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end and len(self._gone(self._tasks)) < len(self._tasks):
            time.sleep(_ARRIVALS)

    def _array(self) -> Iterator[Done[J, R]]:
        """One array: all jobs that wait, and what came of them until its last task ended."""
        at_most = self._slurm.workers if self._slurm.cluster == LOCAL else min(4 * self._slurm.workers, _MOST_TASKS)
        shares = _shares(sorted(self._waiting, key=lambda number: self._waiting[number].attempts), at_most)
        given = [[(number, self._waiting[number].job) for number in share] for share in shares]
        marks = [self._begun / f"{next(self._numbers)}" for _ in shares]
        with environment(ONE_THREAD):
            try:
                self._tasks = self._executor.map_array(self._do, given, marks)
            except RuntimeError as error:  # what submitit makes of sbatch's refusal
                raise NessBenchError(f"SLURM does not take the tasks: {_last_lines(str(error), 1)}") from error
        active = list(zip(self._tasks, shares, marks, strict=True))
        gone: set[str] = set()
        asked = time.monotonic()
        try:
            while active:
                time.sleep(_ARRIVALS)
                yield from self._arrived()
                active = [one for one in active if not self._waiting.keys().isdisjoint(one[1])]
                if time.monotonic() - asked < _QUEUE[self._slurm.cluster]:
                    continue
                before, gone = gone, self._gone([task for task, *_ in active])
                asked = time.monotonic()
                for task, share, mark in active:
                    if task.job_id in before & gone:  # twice: a result may be seen later than its task's end
                        yield from self._lost(task, share, mark)
                active = [one for one in active if one[0].job_id not in before & gone]
        finally:
            self._cancel([task for task, *_ in active])

    def _arrived(self) -> Iterator[Done[J, R]]:
        """Results that were not there before.

        Raises:
            NessBenchError, RuntimeError: the function raised an error.
        """
        names = os.listdir(self._results)
        for name in names:
            number = int(name.removesuffix(".json")) if name[0].isdigit() else -1
            if number in self._waiting:
                content = json.loads((self._results / name).read_bytes())
                yield Done(self._waiting.pop(number).job, **content)
        if _RAISED in names:
            content = json.loads((self._results / _RAISED).read_bytes())
            raise (NessBenchError if content["is_ours"] else RuntimeError)(content["message"])

    def _gone(self, tasks: Sequence[Any]) -> set[str]:
        """Identifiers of tasks that neither wait nor run any more."""
        if self._slurm.cluster == LOCAL:
            return {task.job_id for task in tasks if task.done()}
        # not sacct, which submitit would ask: without accounting it knows of no task that was killed
        command = ["squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:  # it does not answer now
            return set()
        there = set(asked.stdout.split())
        return {task.job_id for task in tasks if task.job_id not in there}

    def _lost(self, task: Any, share: Sequence[int], mark: Path) -> Iterator[Done[J, R]]:
        """What becomes of the jobs of a task that ended before them: most wait for the next array."""
        left = [number for number in share if number in self._waiting]
        blamed = left[:1] if mark.exists() else left  # it does its share in order, if it gets as far as that
        for number in blamed:
            held = self._waiting[number]
            held.attempts += 1
            if held.attempts == ATTEMPTS:
                del self._waiting[number]
                self.logs_matter = True
                said, path = _last_lines(task.stderr() or "", 3), task.paths.stderr
                says = f'{path} ends with "{said}"' if said else f"{path} says nothing"
                why = f"its SLURM task ended {ATTEMPTS} times before it was done; {says}"
                yield Done(held.job, None, why, time.perf_counter() - self._begin)

    def _cancel(self, tasks: Sequence[Any]) -> None:
        if self._slurm.cluster == LOCAL:
            for task in tasks:
                task.cancel()
        elif tasks:
            arrays = {task.job_id.partition("_")[0] for task in tasks}
            subprocess.run(["scancel", *arrays], check=False)


def _shares(numbers: Sequence[int], at_most: int) -> list[list[int]]:
    """Numbers dealt out to so many, as jobs that lie together tend to be long together."""
    return [list(numbers[first::at_most]) for first in range(min(at_most, len(numbers)))]


def _do(
    function: Callable[[J], R], timeout: float | None, results: Path, share: Sequence[tuple[int, J]], mark: Path
) -> None:
    """In an array task: jobs one after the other, those left out that it did before SLURM began it again."""
    from submitit.core.utils import UncompletedJobError

    mark.touch()
    signal.signal(signal.SIGTERM, _end)  # submitit's handler lets a cancelled task run on until SLURM loses patience
    todo = [(number, job) for number, job in share if not (results / f"{number}.json").is_file()]
    processes = Processes(1, remedy="ask for more, as in --slurm mem=16GB")
    try:
        for done in processes.map(partial(_second, function), todo, timeout):
            content = {"result": done.result, "lost": done.lost, "seconds": done.seconds}
            _write(results / f"{done.job[0]}.json", content)
    except UncompletedJobError:  # submitit's: SLURM is about to end the task, and what is left is handed in again
        raise
    except Exception as error:
        is_ours = isinstance(error, NessBenchError)
        message = str(error) if is_ours else traceback.format_exc()
        _write(results / _RAISED, {"is_ours": is_ours, "message": message})
        raise


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _second(function: Callable[[J], R], pair: tuple[int, J]) -> R:
    return function(pair[1])


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content)
    write_atomically(path, lambda file: file.write(text.encode()))


def _last_lines(text: str, lines: int) -> str:
    return "; ".join(text.strip().splitlines()[-lines:])
