"""What breaks a promise of `SpaceContract` fails the tests of that promise, what keeps all fails none."""

from dataclasses import replace

import numpy as np
import pytest
from failing import failing, promises_of

from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.space import Space
from ness_bench.testing import SpaceContract

PART = Space.whole().restrict(Space.whole().classes[100:140])


class OwnNeighbours(Space):
    def neighbours(self, architecture, besides=()):
        return [other for other in nas_bench_201.neighbours(architecture) if other in self]


class SomeNeighbours(Space):
    def neighbours(self, architecture, besides=()):
        return super().neighbours(architecture, besides)[:1]


class ForgetsWhatToLeaveOut(Space):
    def neighbours(self, architecture, besides=()):
        return super().neighbours(architecture)


class SortedClasses(Space):
    @property
    def classes(self):
        return tuple(sorted(super().classes))


class ShiftedRows(Space):
    @property
    def rows(self):
        return {architecture: row + 1 for row, architecture in enumerate(self.architectures)}


class TakesAnything(Space):
    def __contains__(self, architecture):
        return True


class WideArray(Space):
    @property
    def array(self):
        return np.array(self.architectures)


class SortsWhatIsLeft(Space):
    def restrict(self, classes):
        return replace(self, architectures=tuple(sorted(super().restrict(classes).architectures)))


class Rotates(Space):
    def canonical(self, architecture):
        return self.architectures[(self.rows[architecture] + 1) % self.size]


ONCE, ROWS, ARRAY = (
    "holds_each_architecture_once",
    "rows_and_membership_agree_with_the_order",
    "the_array_is_the_architectures",
)
CANONICAL, FIRST = "a_canonical_architecture_stands_for_itself", "classes_are_distinct_and_in_order_of_first_appearance"
NEAREST, STRINGS, PARTS = (
    "neighbours_are_all_the_nearest_of_another_class",
    "strings_name_architectures",
    "a_restriction_keeps_whole_classes_in_order",
)


def of(architectures, kind=Space):
    return kind(PART.name, tuple(architectures))


SPACES = [
    (PART, set()),
    (Space.whole(), set()),
    (of((*PART.architectures, PART.architectures[0])), {ONCE, ROWS, NEAREST, STRINGS}),
    (of(PART.architectures[::7]), {CANONICAL}),  # some of whose classes it has without what stands for them
    (of(PART.restrict(PART.classes[:1]).architectures), {FIRST, NEAREST}),
    (of(map(np.array, PART.architectures)), {ONCE, ROWS, ARRAY, CANONICAL, FIRST, NEAREST, STRINGS, PARTS}),
    (of((*a[:5], a[5] - 5) for a in PART.architectures), {CANONICAL, FIRST, NEAREST, STRINGS, PARTS}),
    (of(PART.architectures, OwnNeighbours), {NEAREST}),
    (of(PART.architectures, SomeNeighbours), {NEAREST}),
    (of(PART.architectures, ForgetsWhatToLeaveOut), {NEAREST}),
    (of(PART.architectures, SortedClasses), {FIRST}),
    (of(PART.architectures, ShiftedRows), {ROWS}),
    (of(PART.architectures, TakesAnything), {ROWS, NEAREST}),
    (of(PART.architectures, WideArray), {ARRAY}),
    (of(PART.architectures, SortsWhatIsLeft), {PARTS}),
    (of(PART.architectures, Rotates), {CANONICAL, FIRST, PARTS}),
]


@pytest.mark.parametrize(("space", "expected"), SPACES)
def test_a_space_fails_the_tests_of_what_it_breaks(space, expected):
    assert failing(SpaceContract, space=space) == expected


def test_the_space_of_a_bank_keeps_all(bank):
    assert failing(SpaceContract, space=bank.space) == set()


def test_every_test_of_a_space_can_fail():
    assert set.union(*(expected for _, expected in SPACES)) == promises_of(SpaceContract)
