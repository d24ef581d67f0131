"""What commands share: constants set by name, how many cores there are, progress bars, labelled lines."""

import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from rich.progress import Progress

Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Worker processes, one thread each.", show_default="cores")
]


Settings = Annotated[list[str] | None, typer.Option("--set", help="A constant, as in --set delta=0.5.")]

_WORD = re.compile(r"\s*(?!(?:true|false|inf|nan)\s*$)([A-Za-z][\w-]*)\s*")


def constants_of(settings: list[str] | None) -> dict[str, Any]:
    """The constants of `--set`; see `key_values`."""
    return key_values("--set", settings)


def key_values(option: str, settings: list[str] | None) -> dict[str, Any]:
    """`name=value` settings; values are read as TOML, so `2`, `0.5` and `true` keep their types; a word is a string.

    Raises:
        NessBenchError: a setting is of another form.
    """
    import tomllib

    constants: dict[str, Any] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        try:
            if not equals:
                raise tomllib.TOMLDecodeError("no =")
            word = _WORD.fullmatch(value)
            (constants[name.strip()],) = tomllib.loads(f'value = "{word[1]}"' if word else f"value = {value}").values()
        except ValueError:  # no TOML, or more than one value
            raise NessBenchError(f'{option} was given "{setting}"; write it like {option} name=0.5') from None
    return constants


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def progress_bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def print_lines(lines: list[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in lines)
    for label, value in lines:
        print(f"{label:{width}}  {value}")
