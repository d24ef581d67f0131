"""What every search space owes, whole or restricted."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from ness_bench.spaces.nas_bench_201 import Architecture, parse, to_string
from ness_bench.spaces.space import Space

SAMPLED = 25
"""Architectures that are looked at where looking at all would take long."""


class SpaceContract:
    """What every `Space` owes that methods may search in: they rely on each of these.

        class TestPart(SpaceContract):
            space = Space.whole().restrict(Space.whole().classes[:100])

    Attributes:
        space: of at least two functional classes.
    """

    space: ClassVar[Space]

    def test_holds_each_architecture_once(self) -> None:
        space = self.space
        assert space.size == len(space.architectures) == len(set(space.architectures)) > 1
        assert all(isinstance(operation, int) for architecture in space.architectures for operation in architecture)

    def test_rows_and_membership_agree_with_the_order(self) -> None:
        space = self.space
        assert len(space.rows) == space.size
        for row, architecture in enumerate(space.architectures):
            assert space.rows[architecture] == row, f"{architecture} stands in row {row}"
            assert architecture in space
        for outsider in (None, (), (*space.architectures[0], 0), ("none",) * len(space.architectures[0])):
            assert outsider not in space

    def test_the_array_is_the_architectures(self) -> None:
        array = self.space.array
        assert array.dtype == np.int8
        assert array.shape == (self.space.size, len(self.space.architectures[0]))
        _require_same(list(map(tuple, array.tolist())), self.space.architectures)

    def test_a_canonical_architecture_stands_for_itself(self) -> None:
        """And is in the space, so that it can be trained there."""
        for architecture in self.space.architectures:
            canonical = self.space.canonical(architecture)
            assert canonical in self.space, f"{architecture} stands for {canonical}, which is outside"
            assert self.space.canonical(canonical) == canonical, f"{canonical} stands for another one"

    def test_classes_are_distinct_and_in_order_of_first_appearance(self) -> None:
        seen: list[Architecture] = []
        known: set[Architecture] = set()
        for architecture in self.space.architectures:
            canonical = self.space.canonical(architecture)
            if canonical not in known:
                known.add(canonical)
                seen.append(canonical)
        _require_same(self.space.classes, seen)
        assert len(seen) > 1, "a space of one class has no neighbours"

    def test_neighbours_are_all_the_nearest_of_another_class(self) -> None:
        space = self.space
        canonical = [space.canonical(architecture) for architecture in space.architectures]
        for architecture in self._sampled():
            own = space.canonical(architecture)
            other = next(of for of in canonical if of != own)
            for left_out in ((), (other,)):
                distances = (space.array != np.array(architecture)).sum(1)
                free = np.array([of != own and of not in left_out for of in canonical])
                nearest = free & (distances == distances[free].min(initial=len(architecture) + 1))
                expected = {space.architectures[row] for row in np.flatnonzero(nearest)}
                found = space.neighbours(architecture, left_out)
                assert len(found) == len(set(found)), f"a neighbour of {architecture} is named twice"
                assert set(found) == expected, f"neighbours of {architecture} besides {left_out}"

    def test_strings_name_architectures(self) -> None:
        strings = [to_string(architecture) for architecture in self.space.architectures]
        assert len(set(strings)) == self.space.size, "two architectures have one string"
        _require_same(list(map(parse, strings)), self.space.architectures)

    def test_a_restriction_keeps_whole_classes_in_order(self) -> None:
        space = self.space
        for keep in (space.classes, space.classes[::2], space.classes[-1:]):
            part = space.restrict(keep)
            whole = frozenset(keep)
            assert part.name == space.name
            _require_same(part.architectures, [a for a in space.architectures if space.canonical(a) in whole])
        assert space.restrict([]).size == 0

    def _sampled(self) -> Iterator[Architecture]:
        rows = np.random.default_rng(0).permutation(self.space.size)[:SAMPLED]
        return (self.space.architectures[row] for row in rows.tolist())


def _require_same(found: Sequence[Architecture], expected: Sequence[Architecture]) -> None:
    """The first difference is told: pytest's own account of all that differ takes hours for thousands of them."""
    for place, (one, other) in enumerate(zip(found, expected, strict=False)):
        assert one == other, f"place {place}"
    assert len(found) == len(expected)
