"""A task cut down to what `tasks.task.Task` offers, so that a method that takes more is noticed."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ness_bench.tasks.task import Supernet, Task

_BUDGET = frozenset({"total", "unit", "overshoot", "spent", "left", "affords"})
"""What methods may read; the task alone charges."""


class NotOffered(AssertionError):
    """A method asked for what no task has to offer."""


class _Narrow:
    """Some attributes of an object, to be read. The object itself is out of reach."""

    def __init__(self, kind: str, read: Callable[[str], Any], offered: frozenset[str]) -> None:
        def guarded(name: str) -> Any:
            if name.startswith("__"):  # which numpy, copy and others look for
                raise AttributeError(name)
            if name not in offered:
                raise NotOffered(f"`{name}` of a {kind} was asked for; a method may use: {', '.join(sorted(offered))}")
            return read(name)

        object.__setattr__(self, "_guarded", guarded)

    def __getattr__(self, name: str) -> Any:
        return object.__getattribute__(self, "_guarded")(name)

    def __setattr__(self, name: str, value: object) -> None:
        raise NotOffered(f"`{name}` was to be set; a method only reads what it is given")


def narrow(task: Task) -> Task:
    """A task that offers what the protocol does, to be read only; its budget and its supernets likewise."""

    def read(name: str) -> Any:
        if name == "budget":
            return _Narrow("budget", lambda name: getattr(task.budget, name), _BUDGET)
        if name == "supernet":
            return supernet
        value = getattr(task, name)
        return _read_only(value) if name == "val_labels" else value

    def supernet(*arguments: Any, **named: Any) -> Any:
        trained = task.supernet(*arguments, **named)
        return _Narrow("supernet", lambda name: getattr(trained, name), _public(Supernet))

    return cast(Task, _Narrow("task", read, _public(Task)))


def _public(protocol: type) -> frozenset[str]:
    return frozenset(name for name in dir(protocol) if not name.startswith("_"))


def _read_only(array: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    view = array.view()
    view.flags.writeable = False
    return view
