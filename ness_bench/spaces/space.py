"""A finite search space, whole or restricted to what a bank covers: all that a method may draw from."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.nas_bench_201 import Architecture


@dataclass(frozen=True)
class Space:
    """A set of architectures in a fixed order.

    Attributes:
        name: the cell space that they come from.
        architectures: in the published index order.
    """

    name: str
    architectures: tuple[Architecture, ...]

    @classmethod
    @cache
    def whole(cls) -> "Space":
        """All 15,625 architectures of NAS-Bench-201."""
        return cls("nas_bench_201", nas_bench_201.architectures())

    def restrict(self, classes: Collection[Architecture]) -> "Space":
        """The architectures whose functional class is among `classes` (canonical architectures)."""
        keep = frozenset(classes)
        return Space(self.name, tuple(a for a in self.architectures if nas_bench_201.canonical(a) in keep))

    @property
    def size(self) -> int:
        return len(self.architectures)

    @cached_property
    def array(self) -> npt.NDArray[np.int8]:
        """Operation indices, int8 [size, edges]."""
        return np.array(self.architectures, dtype=np.int8)

    @cached_property
    def classes(self) -> tuple[Architecture, ...]:
        """The distinct canonical architectures, in the order of their first appearance."""
        return tuple(dict.fromkeys(nas_bench_201.canonical(a) for a in self.architectures))

    @cached_property
    def rows(self) -> dict[Architecture, int]:
        """The place of each architecture in `architectures`."""
        return {architecture: row for row, architecture in enumerate(self.architectures)}

    def __contains__(self, architecture: object) -> bool:
        return architecture in self.rows

    def canonical(self, architecture: Architecture) -> Architecture:
        """The representative of the architecture's functional class."""
        return nas_bench_201.canonical(architecture)

    def neighbours(self, architecture: Architecture, besides: Collection[Architecture] = ()) -> list[Architecture]:
        """The architectures of another functional class that differ on the fewest edges.

        On the whole space these differ on one edge; a restricted space may hold none so near.

        Args:
            besides: canonical architectures of further classes to leave out.
        """
        left_out = {self.canonical(architecture), *besides}

        def of_another_class(near: Iterable[Architecture]) -> list[Architecture]:
            return [neighbour for neighbour in near if neighbour in self and self.canonical(neighbour) not in left_out]

        found = of_another_class(nas_bench_201.neighbours(architecture))
        if not found:  # look at all that there are
            distances = (self.array != np.array(architecture, np.int8)).sum(1)
            for edges in range(2, self.array.shape[1] + 1):
                found = of_another_class(self.architectures[row] for row in np.flatnonzero(distances == edges))
                if found:
                    break
        return found
