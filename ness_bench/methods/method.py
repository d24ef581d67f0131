"""What a search method is, and how it is found by name.

A method is a frozen dataclass whose fields are its constants, with one function, `search`. It is found
under the name that it registers:

    @register("my-method")
    @dataclass(frozen=True)
    class MyMethod:
        "One line that `ness-bench methods` shows."

        exponent: float = 2.0

        def search(self, task: Task, rng: np.random.Generator) -> Ensemble: ...

A file in this package is found by being there; a third party's package names the module that holds its
methods under the entry-point group `ness_bench.methods`.
"""

import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from ness_bench.errors import NessBenchError, nearest
from ness_bench.tasks.task import Ensemble, Task


class Method(Protocol):
    """A search method."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        """Choose an ensemble for `task`, paying from its budget.

        Args:
            task: what may be seen and trained.
            rng: the only source of randomness.

        Raises:
            BudgetExhausted: the budget cannot pay what the method needs at least.
        """
        ...


_WANTED: dict[type, str] = {float: "a finite number", int: "a whole number", bool: "true or false"}

_registered: dict[str, type[Method]] = {}

M = TypeVar("M", bound=type[Method])


def register(name: str) -> Callable[[M], M]:
    """Make a method known under `name`."""

    def decorate(method: M) -> M:
        assert name not in _registered, f"two methods are called {name}"
        _registered[name] = method
        return method

    return decorate


@lru_cache(maxsize=1)
def methods() -> Mapping[str, type[Method]]:
    """All methods by name, in alphabetical order: this package's files and what other packages registered."""
    import ness_bench.methods as package

    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    for entry_point in entry_points(group="ness_bench.methods"):
        entry_point.load()
    return dict(sorted(_registered.items()))


def create(name: str, constants: Mapping[str, Any] | None = None) -> Method:
    """The method called `name`, some of its constants replaced.

    Raises:
        NessBenchError: the method, or a constant of it, is unknown, or a constant is of the wrong type.
    """
    known = methods()
    if name not in known:
        raise NessBenchError(f'unknown method "{name}"{nearest(name, list(known))}; known: {", ".join(known)}')
    method = known[name]()
    defaults = {field.name: getattr(method, field.name) for field in fields(method)}
    set_to: dict[str, Any] = {}
    for constant, value in (constants or {}).items():
        if constant not in defaults:
            raise NessBenchError(
                f'method "{name}" has no constant "{constant}"{nearest(constant, list(defaults))}; '
                f"it has: {', '.join(defaults) or 'none'}"
            )
        kind = type(defaults[constant])
        fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool) == isinstance(value, bool)
        if not fits or (kind is float and not math.isfinite(value)):
            raise NessBenchError(
                f'constant "{constant}" of method "{name}" was given {value!r}; '
                f"it must be {_WANTED.get(kind, kind.__name__)}, as its default {defaults[constant]!r} is"
            )
        set_to[constant] = kind(value)  # 1 and 1.0 are one setting
    return replace(method, **set_to)
