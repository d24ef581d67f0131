"""Jobs for the tests of engines, which workers import from here.

Those that get a folder leave a file in it each time that they are begun, NUMBER.PID.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ness_bench.errors import NessBenchError


def square(number: int) -> int:
    return number**2


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def begin(folder: Path, number: int) -> int:
    """How often a job has been begun, with this time."""
    (folder / f"{number}.{os.getpid()}").touch()
    return len(attempts(folder, number))


def attempts(folder: Path, number: int | str = "*") -> list[int]:
    """The processes that a job was begun in."""
    return [int(path.suffix[1:]) for path in folder.glob(f"{number}.*")]


def killed(job: tuple[Path, int]) -> int:
    """A multiple of 5 loses its worker when it is begun for the first time, number 3 whenever it is begun."""
    folder, number = job
    times = begin(folder, number)
    if number == 3 or (number % 5 == 0 and times == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def raising(job: tuple[Path, int]) -> int:
    """Number 3 raises an error, a negative number ours."""
    folder, number = job
    begin(folder, number)
    time.sleep(0.1)
    if number == 3:
        raise KeyError("three")
    if number < 0:
        raise NessBenchError("a number is negative")
    return number


def lasting(job: tuple[Path, int, float]) -> int:
    folder, number, seconds = job
    begin(folder, number)
    time.sleep(seconds)
    return number


def threads(job: object) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def complex_number(job: object) -> complex:
    """What JSON cannot hold."""
    return 1j


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], patience: float = 15.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
