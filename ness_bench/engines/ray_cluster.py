"""A Ray cluster: machines may join and leave while jobs run. A job whose machine is gone is begun again elsewhere."""

import itertools
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from ness_bench.engines.engine import ATTEMPTS, Done
from ness_bench.engines.processes import ONE_THREAD, environment, timed, too_long
from ness_bench.errors import NessBenchError

J = TypeVar("J")
R = TypeVar("R")

_ANSWERS = 10.0
"""Seconds within which a cluster answers a knock at its port."""

_LOOK = 1.0
"""Seconds after which one looks what has begun, what takes too long, and whether the cluster has grown."""

_PATIENCE = 0.1
"""Seconds that one waits for what has begun; if it is not known by then, one hears of it at the next look."""

_PASSED_ON = ("NESS_BENCH_CACHE",)
"""Environment variables that workers get from here."""


@dataclass(frozen=True)
class Ray:
    """A Ray cluster: one that is there, or one on this machine, started and ended with the jobs.

    ness_bench, in the same version, and what jobs read from disk must be there on every machine of the cluster. Ray's
    own environment variables hold, such as RAY_AUTH_MODE=token for a cluster that asks for one.

    Attributes:
        address: of a cluster: `host:port` of its head, seen from one of its machines; `ray://host:port` from outside of
            it; `auto` for the one that this machine belongs to. None starts one.
        workers: CPUs of the cluster that is started. One that is there is used as a whole.
        gpus: that a job takes, beside one CPU; a share of one, or a whole number.
    """

    address: str | None
    workers: int | None
    gpus: float = 0.0

    def map(self, function: Callable[[J], R], jobs: Sequence[J], timeout: float | None = None) -> Iterator[Done[J, R]]:
        """See `Engine.map`. A job's time is its own: it does not run while the job waits for a CPU.

        Raises:
            NessBenchError: Ray is not installed, the cluster does not answer, or it lacks the GPUs that a job takes.
        """
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise NessBenchError(f"a job cannot take {self.gpus:g} GPUs; give a whole number, or a share of one")
        ray = _ray()
        with self._connection(ray) as ours:
            self._require_gpus(ray)
            work = _Work(ray, function, jobs, self.gpus, timeout)
            try:
                yield from work.ended()
            finally:
                if not ours:  # what runs ends with a connection of ours
                    work.cancel()

    @contextmanager
    def _connection(self, ray: ModuleType) -> Iterator[bool]:
        """Be connected for a while; yields whether the connection is ours.

        One that is there already, of a program around this one, is used and kept.
        """
        if ray.is_initialized():
            yield False
            return
        where: dict[str, Any] = {"address": "local", "num_cpus": self.workers, "include_dashboard": False}
        if self.address is not None:
            where = {"address": self.address}
            _knock(self.address)
        with environment({"RAY_USAGE_STATS_ENABLED": "0", **ONE_THREAD}):
            try:
                ray.init(**where, logging_level="ERROR", log_to_driver=False)
            except (Exception, SystemExit) as error:  # by what is amiss, Ray raises all kinds
                why = "Ray gave up" if isinstance(error, SystemExit) else str(error)
                raise _no_cluster(self.address, why) from error
        try:
            yield True
        finally:
            ray.shutdown()

    def _require_gpus(self, ray: ModuleType) -> None:
        there = ray.cluster_resources().get("GPU", 0.0)
        if there < self.gpus:
            raise NessBenchError(
                f"the Ray cluster has {there:g} GPUs and a job would take {self.gpus:g}; add machines that have some, "
                "or give fewer --gpus"
            )


def _ray() -> ModuleType:
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise NessBenchError("the engine ray needs Ray; pip install 'ness_bench[ray]'") from None
    return ray


def _knock(address: str) -> None:
    """See whether anybody listens at an address: Ray itself tries for minutes, then ends the process.

    Raises:
        NessBenchError: nobody does.
    """
    if address == "auto":
        return
    try:
        where = urlsplit(address if "://" in address else f"//{address}")
        port = where.port or (10001 if where.scheme == "ray" else None)
    except ValueError:
        port = None
    if not port or not where.hostname:
        raise NessBenchError(f"{address} is no address of a Ray cluster; give auto, host:port or ray://host:port")
    try:
        socket.create_connection((where.hostname, port), _ANSWERS).close()
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from None


def _no_cluster(address: str | None, why: str) -> NessBenchError:
    if address is None:
        return NessBenchError(f"no Ray cluster could be started on this machine ({_first_line(why)})")
    where = "on this machine" if address == "auto" else f"at {address}"
    remedy = "start one with `ray start --head`, or leave out --address"
    return NessBenchError(f"no Ray cluster answers {where} ({_first_line(why)}); {remedy}")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")


@dataclass
class _Held(Generic[J]):
    """A job that is not done.

    Attributes:
        attempts: how often it was handed to the cluster.
        begin: when it was for the first time.
        number: of the last attempt.
        running_since: when that was seen to be running; None while it waits for a CPU.
    """

    job: J
    attempts: int = 0
    begin: float = 0.0
    number: int = -1
    running_since: float | None = None


class _Began:
    """An actor to which attempts say that they are running, each by its number."""

    def __init__(self) -> None:
        self._new: list[int] = []

    def say(self, number: int) -> None:
        self._new.append(number)

    def new(self) -> list[int]:
        """Those that have said so since one last asked."""
        new, self._new = self._new, []
        return new


class _Work(Generic[J, R]):
    """Jobs of one call. The cluster is handed enough of them to be busy, and not more, so that it can be stopped."""

    def __init__(
        self, ray: ModuleType, function: Callable[[J], R], jobs: Sequence[J], gpus: float, timeout: float | None
    ) -> None:
        self._ray, self._gpus, self._timeout = ray, gpus, timeout
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._do = ray.remote(_do).options(
            num_cpus=1,
            num_gpus=gpus,
            max_retries=0,  # attempts are counted here, as for every engine
            runtime_env={"env_vars": ONE_THREAD | passed_on},
        )
        self._function = ray.put(function)  # sent to each machine once
        self._began: Any = None if timeout is None else _actor_here(ray, _Began)
        self._asked: Any = None
        self._waiting = deque(_Held(job) for job in jobs)
        self._running: dict[Any, _Held[J]] = {}  # by their Ray references
        self._numbers = itertools.count()

    def ended(self) -> Iterator[Done[J, R]]:
        """Do the jobs."""
        done: list[Done[J, R]] = []
        slots, look = 0, 0.0
        while self._waiting or self._running:
            if time.monotonic() >= look:
                done += self._overdue()
                look, slots = time.monotonic() + _LOOK, self._slots()
            while self._waiting and len(self._running) < 2 * slots:
                self._hand_over(self._waiting.popleft())
            yield from done  # after more was begun: no machine idles while the caller looks at results
            done = []
            for reference in self._ready():
                try:
                    done += self._outcome(reference)
                except BaseException:
                    yield from done
                    raise
        yield from done

    def cancel(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)

    def _slots(self) -> int:
        """Jobs that the cluster can do at once, as it is now."""
        there = self._ray.cluster_resources()
        at_once = there.get("CPU", 0.0)
        if self._gpus:
            at_once = min(at_once, there.get("GPU", 0.0) / self._gpus)
        return max(int(at_once), 1)

    def _hand_over(self, held: _Held[J]) -> None:
        held.attempts += 1
        held.begin = held.begin or time.monotonic()
        held.number, held.running_since = next(self._numbers), None
        reference = self._do.remote(self._function, held.job, str(Path.cwd()), held.number, self._began)
        self._running[reference] = held

    def _ready(self) -> list[Any]:
        """References of jobs that have ended, one way or another; none if none does within `_LOOK` seconds."""
        ready: list[Any]
        ready, others = self._ray.wait(list(self._running), num_returns=1, timeout=_LOOK)
        if ready and others:
            ready += self._ray.wait(others, num_returns=len(others), timeout=0)[0]
        return ready

    def _outcome(self, reference: Any) -> list[Done[J, R]]:
        """What became of a job that has ended; nothing if it is to be begun again.

        Raises:
            Exception: what the function raised.
        """
        held = self._running.pop(reference)
        try:
            result, seconds = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error  # of an error in a worker, what was raised there
            if not isinstance(cause, _lost_kinds(self._ray)):
                raise cause from error
            if held.attempts < ATTEMPTS:
                self._waiting.appendleft(held)
                return []
            why = f"its worker was lost {ATTEMPTS} times; {_first_line(str(cause))}"
            return [Done(held.job, None, why, time.monotonic() - held.begin)]
        return [Done(held.job, result, None, seconds)]

    def _new_beginnings(self) -> set[int]:
        """Numbers of attempts that have begun to run, as far as the actor says so soon: its machine may be gone."""
        if self._asked is None:
            self._asked = self._began.new.remote()
        if not self._ray.wait([self._asked], timeout=_PATIENCE)[0]:
            return set()
        new, self._asked = self._ray.get(self._asked), None
        return set(new)

    def _overdue(self) -> list[Done[J, R]]:
        """Jobs that exceed their time; they are ended."""
        if self._timeout is None:
            return []
        new, now, late = self._new_beginnings(), time.monotonic(), []
        for reference, held in list(self._running.items()):
            if held.number in new:
                held.running_since = now
            elif held.running_since is not None and now - held.running_since > self._timeout:
                self._ray.cancel(reference, force=True)
                del self._running[reference]
                late.append(Done[J, R](held.job, None, too_long(self._timeout), now - held.running_since))
        return late


def _do(function: Callable[[J], R], job: J, folder: str, number: int, began: Any) -> tuple[R, float]:
    """In a worker: a job, in the folder that the command was given in, where there is one of that name."""
    if began is not None:
        began.say.remote(number)
    with suppress(OSError):
        os.chdir(folder)
    return timed(function, job)


def _actor_here(ray: ModuleType, kind: type) -> Any:
    """An actor on this machine of the cluster, whose end would be this process's end, too."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
    return ray.remote(kind).options(**options).remote()


def _lost_kinds(ray: ModuleType) -> tuple[type[Exception], ...]:
    """What Ray raises where a job can be begun again: its worker, its machine or what these held is gone."""
    errors = ray.exceptions
    return (
        errors.WorkerCrashedError,
        errors.NodeDiedError,
        errors.LocalRayletDiedError,
        errors.OutOfMemoryError,
        errors.ObjectLostError,
        errors.RuntimeEnvSetupError,
    )
