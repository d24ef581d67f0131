"""What breaks a promise of `MethodContract` fails the tests of that promise, what keeps all fails none."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from failing import failing, promises_of

from ness_bench.ensembles import metrics
from ness_bench.errors import NessBenchError
from ness_bench.methods import method as registry
from ness_bench.methods.multi_trial import MultiTrial, evaluations
from ness_bench.methods.random_pool import in_random_order, require_members, train_random_pool
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble
from ness_bench.testing import MethodContract, small_bank


def first(task, rng):
    """Of a random pool as many as were asked for, each with the same chance: hardly ever the same ones twice."""
    pool = train_random_pool(task, rng)
    require_members(task, len(pool))
    return [pool[row] for row in rng.permutation(len(pool))[: task.ensemble_size]]


@dataclass(frozen=True)
class Sound:
    """The first networks of a random pool.

    Attributes:
        share: of no consequence.
        order: likewise.
    """

    share: float = 1.0
    order: str = "first"

    def __post_init__(self):
        if self.share < 0 or self.order != "first":
            raise NessBenchError("give share >= 0 and the order first")

    def search(self, task, rng):
        return Ensemble.uniform(first(task, rng))


class RaisesItsBudget(Sound):
    """By a million TE."""

    def search(self, task, rng):
        task.budget.total = 1e6
        return super().search(task, rng)


class PaysBack(Sound):
    """What it spent, into a purse of its own."""

    def search(self, task, rng):
        found = super().search(task, rng)
        task.budget._spent["training"] = 1e-3
        return found


class ReturnsWhatNobodyTrained(Sound):
    """A copy of a member."""

    def search(self, task, rng):
        members = first(task, rng)
        return Ensemble.uniform([replace(members[0]), *members[1:]])


class PolishesItsMembers(Sound):
    """So that they are right on the validation split."""

    def search(self, task, rng):
        members = first(task, rng)
        members[0].val[:] = np.eye(10)[task.val_labels]
        return Ensemble.uniform(members)


class LooksAtWhatItHasNotPaid(Sound):
    """The worst networks of all that there are."""

    def search(self, task, rng):
        first(task, rng)
        losses = [metrics.nll(task._val.probabilities([row])[0], task.val_labels) for row in range(len(task._members))]
        ranked = [task._members.architectures[row] for row in np.argsort(losses)]
        pool = [task.train(architecture, 0) for architecture in dict.fromkeys(ranked[rng.integers(20) :])]
        return Ensemble.uniform(pool[: task.ensemble_size])


class WritesOnLabels(Sound):
    """The same ones."""

    def search(self, task, rng):
        task.val_labels[:] += 0
        return super().search(task, rng)


class DrawsFromNumPy(Sound):
    """np.random in place of rng."""

    def search(self, task, rng):
        return super().search(task, np.random.mtrand._rand)


class SeedsNumPy(Sound):
    """And draws from rng all the same."""

    def search(self, task, rng):
        np.random.seed(0)  # noqa: NPY002
        return super().search(task, rng)


class DrawsFromAnywhere(Sound):
    """From a generator that nobody seeded."""

    def search(self, task, rng):
        return super().search(task, np.random.default_rng())


class IgnoresItsSeed(Sound):
    """It has one of its own."""

    def search(self, task, rng):
        return super().search(task, np.random.default_rng(0))


class Remembers(Sound):
    """How often it has searched."""

    def search(self, task, rng):
        object.__setattr__(self, "times", getattr(self, "times", 0) + 1)
        return super().search(task, np.random.default_rng([self.times, rng.integers(100)]))


class OpensTheTestSplit(Sound):
    """To look at its labels."""

    def search(self, task, rng):
        np.load(small_bank().folder / "test_labels.npy")
        return super().search(task, rng)


class HoldsTheBank(Sound):
    """With its test split."""

    HELD: ClassVar[list] = []

    def search(self, task, rng):
        self.HELD[:] = [small_bank()]
        return super().search(task, rng)


class ReturnsOneTooMany(Sound):
    """For good measure."""

    def search(self, task, rng):
        return Ensemble.uniform(train_random_pool(task, rng)[: task.ensemble_size + 1])


class ReturnsOne(Sound):
    """However many were asked for."""

    def search(self, task, rng):
        return Ensemble.uniform(first(task, rng)[:1])


class ReturnsTwo(Sound):
    """Of three."""

    def search(self, task, rng):
        return Ensemble.uniform(first(task, rng)[: (task.ensemble_size + 1) // 2])


class ForgetsToDivide(Sound):
    """Weights that are sums."""

    def search(self, task, rng):
        found = super().search(task, rng)
        object.__setattr__(found, "weights", (1.0,) * len(found.members))
        return found


class ReturnsNothing(Sound):
    """Where the budget is too small."""

    def search(self, task, rng):
        try:
            return super().search(task, rng)
        except BudgetExhausted:
            return None


class Stumbles(Sound):
    """Over an empty list, where the budget is too small."""

    def search(self, task, rng):
        try:
            return super().search(task, rng)
        except BudgetExhausted:
            return max([])


class Unexplained(Sound): ...


@dataclass(frozen=True)
class ExplainsNoConstants(Sound):
    """A constant of which nothing is said."""

    patience: int = 3


class DividesByZero(Sound):
    """If share is 0."""

    def search(self, task, rng):
        assert 1 / self.share > 0
        return super().search(task, rng)


@dataclass(frozen=True)
class TakesAnyWord(Sound):
    """For its mood.

    Attributes:
        mood: good or bad.
    """

    mood: str = "good"


class WeighsInSinglePrecision(Sound):
    """Which JSON does not know: a half, a quarter, …, the last one twice."""

    def search(self, task, rng):
        members = first(task, rng)
        weights = np.float32(0.5) ** np.minimum(np.arange(len(members)) + 1, max(len(members) - 1, 0))
        return Ensemble(tuple(members), tuple(weights.astype(np.float32)))


@dataclass
class CanBeChanged:
    """Its constants, at any time."""

    def search(self, task, rng):
        return Ensemble.uniform(first(task, rng))


@dataclass(frozen=True)
class SoundTrials(MultiTrial):
    """The best that it saw."""

    def find(self, task, rng):
        return max(evaluations(task, in_random_order(task.space, task.network, rng)), key=lambda trial: trial[1])[0]


class LeavesTheSpace(SoundTrials):
    """For what stands for the network elsewhere."""

    def find(self, task, rng):
        return task.space.canonical(super().find(task, rng))


class NeverTries(SoundTrials):
    """And draws."""

    def find(self, task, rng):
        return task.space.architectures[rng.integers(task.space.size)]


NARROW, RECORD, SEED = (
    "uses_only_what_a_task_offers",
    "a_runs_record_is_json_and_the_same_twice",
    "the_same_seed_gives_the_same_search",
)
SIZES, COUNT, ODD = (
    "finds_ensembles_of_every_size",
    "finds_as_many_members_as_it_says",
    "constants_that_make_no_sense_are_refused",
)
BUDGET, POOR, TRAINED = "keeps_to_its_budget", "refuses_a_budget_that_is_too_small", "returns_what_its_task_trained"
OTHERS, GLOBAL, TEST = "other_seeds_give_other_searches", "leaves_global_randomness_alone", "has_no_way_to_test_data"
FORM, EXPLAINED, TABLE = (
    "is_a_frozen_dataclass_whose_constants_are_json",
    "explains_itself_and_each_constant",
    "finds_a_network_on_a_table",
)

METHODS = [
    (Sound, {}, set()),
    (Sound, {"returns": "at most"}, set()),
    (Sound, {"returns": "one"}, {COUNT}),
    (Sound, {"deterministic": True}, {OTHERS}),
    (Sound, {"largest": 4}, {SIZES}),
    (Sound, {"method": "Sound_Method"}, {FORM}),
    (RaisesItsBudget, {}, {BUDGET, POOR, NARROW}),
    (PaysBack, {}, {BUDGET, NARROW}),
    (ReturnsWhatNobodyTrained, {}, {TRAINED, SIZES, RECORD, ODD}),
    (PolishesItsMembers, {}, {TRAINED}),
    (LooksAtWhatItHasNotPaid, {}, {NARROW}),
    (WritesOnLabels, {}, {NARROW}),
    (DrawsFromNumPy, {}, {SEED, GLOBAL, RECORD, NARROW}),
    (SeedsNumPy, {}, {GLOBAL}),
    (DrawsFromAnywhere, {}, {SEED, RECORD, NARROW}),
    (IgnoresItsSeed, {}, {OTHERS}),
    (Remembers, {}, {SEED}),
    (OpensTheTestSplit, {}, {TEST}),
    (HoldsTheBank, {}, {TEST}),
    (ReturnsOneTooMany, {}, {SIZES, COUNT, RECORD, ODD}),
    (ReturnsOne, {}, {COUNT}),
    (ReturnsTwo, {}, {COUNT}),
    (ReturnsTwo, {"returns": "at most"}, set()),
    (ForgetsToDivide, {}, {SIZES, RECORD, ODD}),
    (ReturnsNothing, {}, {POOR, BUDGET, TRAINED, OTHERS}),
    (Stumbles, {}, {POOR, BUDGET, TRAINED, OTHERS}),
    (Unexplained, {}, {EXPLAINED}),
    (ExplainsNoConstants, {}, {EXPLAINED}),
    (DividesByZero, {}, {ODD}),
    (TakesAnyWord, {}, {ODD}),
    (WeighsInSinglePrecision, {}, {RECORD}),
    (CanBeChanged, {}, {FORM}),
    (SoundTrials, {"returns": "one"}, set()),
    (LeavesTheSpace, {"returns": "one"}, {TABLE}),
    (NeverTries, {"returns": "one"}, {TABLE}),
]


@pytest.fixture
def registered(monkeypatch):
    """Registers a method for one test."""

    def register(name, kind):
        monkeypatch.setitem(registry._registered, name, kind)
        registry.methods.cache_clear()

    yield register
    monkeypatch.undo()
    registry.methods.cache_clear()


@pytest.mark.parametrize(("kind", "promises", "expected"), METHODS)
def test_a_method_fails_the_tests_of_what_it_breaks(registered, kind, promises, expected):
    of_subject = {"method": "subject"} | promises
    registered(of_subject["method"], kind)
    assert failing(MethodContract, **of_subject) == expected


def test_every_test_of_a_method_can_fail():
    assert set.union(*(expected for *_, expected in METHODS)) == promises_of(MethodContract)
