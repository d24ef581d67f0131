"""Which files are opened meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_listening: list[list[Path]] = []


@contextmanager
def opened_files() -> Iterator[list[Path]]:
    """A list that holds, at the end, every file that Python opened within."""
    _listen()
    opened: list[Path] = []
    _listening.append(opened)
    try:
        yield opened
    finally:
        _listening.remove(opened)


@cache
def _listen() -> None:
    """Once a process: an audit hook cannot be taken back."""

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if _listening and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            for opened in _listening:
                opened.append(Path(os.fsdecode(arguments[0])))

    sys.addaudithook(hear)
