"""Where jobs run: one seam, behind it a pool of processes, a Ray cluster, a SLURM cluster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")

ATTEMPTS = 3
"""How often a job is begun whose worker gets lost: killed, out of memory, its machine gone."""


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """A job that has ended.

    Attributes:
        job: as given.
        result: what the function returned; None if it was lost.
        lost: why there is no result, a sentence; None if there is one.
        seconds: real seconds that it took in its worker, or until it was given up.
    """

    job: J
    result: R | None
    lost: str | None
    seconds: float


class Engine(Protocol):
    """Does jobs in parallel."""

    def map(self, function: Callable[[J], R], jobs: Sequence[J], timeout: float | None = None) -> Iterator[Done[J, R]]:
        """Do jobs and yield each as it ends, in any order.

        A job whose worker gets lost is begun again, `ATTEMPTS` times in all; one that exceeds its time is ended, and
        not begun again. Either is then yielded as lost. Where the caller stops listening, nothing more is begun.

        Args:
            function: importable by name; called in the workers, which have one thread each. Its result: picklable; for
                SLURM what can be written as JSON. What it raises ends everything, and reaches the caller (from SLURM as
                a RuntimeError with the traceback, unless it is a NessBenchError).
            jobs: picklable.
            timeout: seconds that one job may take; None for as long as it likes.

        Raises:
            NessBenchError: there is no such cluster, or it does not answer.
        """
        ...
