"""A run is named by its content, and its record holds both.

The same specification gives the same id, and on the same versions the same record, byte for byte. Methods of one
repetition start from the same random state, so that they are compared on the same draws.
"""

import hashlib
import json
import traceback
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from ness_bench import __version__
from ness_bench.errors import NessBenchError

SCHEMA = 2
"""Of records: raised when a key of them changes its meaning."""


class Run(Protocol):
    """What, with the version of ness_bench, determines a run; a frozen dataclass.

    Attributes:
        UNNAMED: its fields that its id does not cover: where something lies, what it is called.
        RESULT: the keys of what `result` gives.
        title: names the run in messages.
        label: what it is called in tables, with others; runs of one label take about as long.
        digest: of the content that it looks up.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    UNNAMED: ClassVar[tuple[str, ...]]
    RESULT: ClassVar[frozenset[str]]

    @property
    def title(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def digest(self) -> str: ...

    def result(self) -> dict[str, Any]:
        """Do the run; what can be written as JSON.

        Raises:
            NessBenchError: it cannot be done.
        """
        ...

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """The run and its result as a row of the records."""
        ...


def specification(run: Run) -> dict[str, Any]:
    """What of a run its id covers."""
    return {name: value for name, value in asdict(run).items() if name not in run.UNNAMED}


def id_of(run: Run) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a run's specification and of ness_bench's version."""
    canonical = json.dumps({"version": __version__, **specification(run)}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def execute(run: Run) -> dict[str, Any]:
    """Run and record; a run that cannot be done is recorded with its error, whosever fault that is."""
    try:
        return _record(run, result=run.result())
    except NessBenchError as error:
        return failed(run, str(error))
    except Exception as error:  # a fault in a method: it is told, and costs the other runs nothing
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}, line {frame.lineno}"
        return failed(run, f"{type(error).__name__} in {where}: {error}")


def failed(run: Run, error: str) -> dict[str, Any]:
    """The record of a run that failed."""
    return _record(run, error=error)


def _record(run: Run, **outcome: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "id": id_of(run), "spec": specification(run), **outcome}


R = TypeVar("R", bound=Run)


def distinct(plan: str, runs: Iterable[tuple[R, object]]) -> list[R]:
    """The runs of a plan, once it is known that no two are the same or are called the same.

    Args:
        plan: its name.
        runs: each with what it is called in tables.

    Raises:
        NessBenchError: two are.
    """
    first: dict[object, R] = {}
    listed = []
    for run, called in runs:
        for key in (id_of(run), called):
            twin = first.setdefault(key, run)
            if twin is not run:
                raise NessBenchError(
                    f'plan "{plan}" holds the same run twice: {run.title} and {twin.title}; remove one, or give a '
                    "variant its own label"
                )
        listed.append(run)
    return listed
