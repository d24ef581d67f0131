"""What every search method owes, whatever it searches by."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from ness_bench.banks.bank import Bank, TestScores
from ness_bench.ensembles.quantised import MOST_MEMBERS
from ness_bench.errors import NessBenchError
from ness_bench.methods.method import Method, create, methods
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.spaces.space import Space
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.run import execute
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.budget import Budget, BudgetExhausted
from ness_bench.tasks.table import TableTask
from ness_bench.tasks.task import Ensemble, Member, Task
from ness_bench.testing.global_randomness import global_states, globally_seeded
from ness_bench.testing.narrow import narrow
from ness_bench.testing.opened_files import opened_files
from ness_bench.testing.reachable import reachable
from ness_bench.testing.small_bank import small_bank

Key = tuple[object, ...]

SIZE = 3
"""Of ensembles where the size does not matter."""

TABLE_BUDGET = 30.0
"""Seconds, of which a whole training takes one."""


class MethodContract:
    """What every search method owes. It searches the small bank, whose 23 networks cost about 1 TE each.

        class TestMedianSearch(MethodContract):
            method = "median-search"

    Attributes:
        method: the name that it is registered under; its package is installed, or its module imported.
        constants: to use instead of the defaults in searches, such as fewer epochs where those take long.
        budget: TE that pay for a search.
        returns: "as many" members as asked for, one of double weight counting twice; "at most" as many; or "one"
            whatever is asked for, as what looks for a single network does.
        largest: the largest ensemble that it finds on the small bank, where 5 seeds of a network are the most.
        deterministic: whether it draws nothing, so that its random generator changes nothing.
    """

    method: ClassVar[str]
    constants: ClassVar[Mapping[str, Any]] = {}
    budget: ClassVar[float] = 300.0
    returns: ClassVar[Literal["as many", "at most", "one"]] = "as many"
    largest: ClassVar[int] = MOST_MEMBERS
    deterministic: ClassVar[bool] = False

    def test_is_a_frozen_dataclass_whose_constants_are_json(self) -> None:
        words = "lower-case words joined by hyphens, as it is typed on the command line"
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.method), f"a method's name is {words}"
        parameters = getattr(methods()[self.method], "__dataclass_params__", None)
        assert getattr(parameters, "frozen", False), "a method is a dataclass with frozen=True"
        constants = asdict(create(self.method))
        assert json.loads(json.dumps(constants, allow_nan=False)) == constants, "constants are numbers, words, booleans"

    def test_explains_itself_and_each_constant(self) -> None:
        kind = methods()[self.method]
        explained = (kind.__doc__ or "").strip()
        assert explained, "its docstring's first line is what `ness-bench methods` lists"
        assert not explained.startswith(f"{kind.__name__}("), "it has no docstring but the one that dataclass writes"
        everything = "".join(base.__doc__ or "" for base in kind.__mro__ if base is not object)
        for field in fields(kind):
            assert f"{field.name}: " in everything, f"the docstring says, under Attributes, what {field.name} is"

    def test_finds_ensembles_of_every_size(self) -> None:
        """Of 1, 3 and as many members as it can; what it cannot, it refuses."""
        for size in (1, SIZE, self.largest):
            task, ensemble = self._search(size)
            self._require_valid(task, ensemble, size)
        if self.largest < MOST_MEMBERS:
            with pytest.raises(NessBenchError):
                self._search(self.largest + 1)

    def test_finds_as_many_members_as_it_says(self) -> None:
        found = [self._search(SIZE, seed=seed)[1] for seed in range(3)]
        most = max(len(ensemble.members) for ensemble in found)
        if self.returns == "one":
            assert most == 1, 'with returns = "one" it returns a single member'
            return
        assert most > 1, f'of {SIZE} members it never returned more than one; if that is so, say returns = "one"'
        for ensemble in found if self.returns == "as many" else ():
            copies = np.array(ensemble.weights) * SIZE
            assert len(ensemble.members) == SIZE or np.allclose(copies, np.rint(copies)), (
                f"{len(ensemble.members)} members of weights {ensemble.weights} are not {SIZE}, of which some count "
                'twice; if it may return fewer, say returns = "at most"'
            )

    def test_returns_what_its_task_trained(self) -> None:
        """Each member is one that `task.train` handed over, hence paid, and nobody has changed its predictions."""
        bank = small_bank()
        for budget in self._budgets():
            with suppress(BudgetExhausted):
                task, ensemble = self._search(SIZE, budget)
                for member in ensemble.members:
                    assert task.sold(member), f"{member.architecture} seed {member.seed} was not trained by the task"
                    stored = bank.val.probabilities([bank.members.row(member.architecture, member.seed)])[0]
                    assert np.array_equal(member.val, stored), "a member's predictions are not to be changed"

    def test_keeps_to_its_budget(self) -> None:
        """With much and with little: what it spends is no more, and covers at least its members."""
        for budget in self._budgets():
            task = BankTask.of(small_bank(), SIZE, budget)
            with suppress(BudgetExhausted):
                ensemble = self._create().search(task, np.random.default_rng(0))
                assert task.budget.total == budget, "the budget is not to be changed"
                spent = sum(task.budget.spent.values())
                assert 0 < spent <= budget * (1 + 1e-9), f"{spent} TE were spent of {budget}"
                price = sum(task.training_cost(member.architecture) for member in ensemble.members)
                assert price <= spent * (1 + 1e-9), f"{spent} TE were spent on members that cost {price}"

    def test_refuses_a_budget_that_is_too_small(self) -> None:
        """By `BudgetExhausted`: no other error, and no ensemble of what it could not pay."""
        size, refused = 5, 0
        for seed in range(5):
            task = BankTask.of(small_bank(), size, _cheapest(), seed)
            try:
                ensemble = self._create().search(task, np.random.default_rng(seed))
            except BudgetExhausted:
                refused += 1
            else:
                self._require_valid(task, ensemble, size)
        assert refused or self.returns != "as many", f"{_cheapest():.3g} TE, one training, paid for {size} members"

    def test_the_same_seed_gives_the_same_search(self) -> None:
        """Whatever state the global generators are in, and whatever the same object has searched before."""
        reused = self._create()
        found = []
        for state, searcher in enumerate((reused, self._create(), reused)):
            with globally_seeded(state):
                task = BankTask.of(small_bank(), SIZE, self.budget)
                found.append(_outcome(task, searcher.search(task, np.random.default_rng(0))))
        assert found[0] == found[1], "a new object finds something else: `rng` is not its only source of randomness"
        assert found[0] == found[2], "the same object finds something else when it searches again: it keeps a state"

    def test_leaves_global_randomness_alone(self) -> None:
        with globally_seeded(12345):
            before = global_states()
            self._search(SIZE)
            assert global_states() == before, "it draws from, or seeds, a global random generator; it has its own, rng"

    def test_other_seeds_give_other_searches(self) -> None:
        """On the same task. With a deterministic method, none."""
        found = set()
        for seed in range(4):
            outcomes = []
            for budget in self._budgets():
                task = BankTask.of(small_bank(), SIZE, budget)
                with suppress(BudgetExhausted):
                    ensemble = self._create().search(task, np.random.default_rng(seed))
                    outcomes.append(_outcome(task, ensemble))
            found.add(tuple(outcomes))
        if self.deterministic:
            assert len(found) == 1, "it is not deterministic: `rng` makes a difference"
        else:
            assert len(found) > 1, "`rng` makes no difference; if it needs no randomness, say deterministic = True"

    def test_uses_only_what_a_task_offers(self) -> None:
        """`tasks.task.Task`, read only: with nothing else to be had, it finds the same."""
        task = BankTask.of(small_bank(), SIZE, self.budget)
        found = self._create().search(narrow(task), np.random.default_rng(0))
        assert _outcome(task, found) == _outcome(*self._search(SIZE))

    def test_has_no_way_to_test_data(self) -> None:
        """Neither in files nor in memory."""
        bank, searcher = small_bank(), self._create()
        task = BankTask.of(bank, SIZE, self.budget)
        with opened_files() as opened:
            ensemble = searcher.search(task, np.random.default_rng(0))
        peeked = [
            path
            for path in opened
            if path.name in ("test.npy", "test_labels.npy", "test_scores.npz", "optima.json")
            or (path.parent.name == "test" and path.suffix == ".xz")
        ]
        assert not peeked, f"it opened {peeked[0]}"
        for thing in reachable((task, ensemble, searcher, _defined_with(type(searcher)))):
            assert not isinstance(thing, Bank | TestScores), "it holds a bank, and thereby its test split"
            if isinstance(thing, np.ndarray):
                mine = np.may_share_memory(thing, bank.test.units) or np.may_share_memory(thing, bank.test.labels)
                assert not mine, "it holds predictions on the test split, or its labels"

    def test_constants_that_make_no_sense_are_refused(self) -> None:
        """By `NessBenchError`, in `__post_init__` or in `search`; or they work, as 0 may."""
        with pytest.raises(NessBenchError):
            create(self.method, {"no such constant": 1})
        for constant, value in _odd_values(create(self.method)):
            try:
                searcher = create(self.method, {**self.constants, constant: value})
                task = BankTask.of(small_bank(), SIZE, self.budget)
                ensemble = searcher.search(task, np.random.default_rng(0))
            except NessBenchError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"{constant} = {value!r} ends in {error!r}; refuse it by NessBenchError"
                ) from error
            assert not isinstance(value, str), f"{constant} = {value!r} is taken for a word that means something"
            self._require_valid(task, ensemble, SIZE)

    def test_a_runs_record_is_json_and_the_same_twice(self) -> None:
        content = {
            "name": "contract",
            "bank": str(small_bank().folder),
            "methods": [{"name": self.method, "constants": dict(self.constants)}],
            "sizes": [SIZE],
            "budgets": [self.budget],
            "repetitions": 1,
        }
        (run,) = EnsemblePlan.model_validate(content).runs()
        first, second = execute(run), execute(run)
        assert "result" in first, first.get("error")
        assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)

    def test_finds_a_network_on_a_table(self) -> None:
        """Of one training length or of many, of the whole space or of a part of it."""
        searcher = self._create()
        if not isinstance(searcher, MultiTrial):
            pytest.skip("it is no MultiTrial, so that it does not run on tables")
        whole = Space.whole()
        for space, lengths in ((whole, tuple(range(1, 13))), (whole, (12,)), (_part_of(whole), (12,))):
            found = []
            for _ in range(2):
                task = _table_task(space, lengths, budget=TABLE_BUDGET)
                found.append((searcher.find(task, np.random.default_rng(0)), task.trials))
                assert found[-1][0] in space, "what it found is not in the task's space"
                assert 0 < sum(task.budget.spent.values()) <= TABLE_BUDGET * (1 + 1e-9)
                assert found[-1][1], "it found a network without having evaluated any"
            assert found[0] == found[1], "the same seed found another network, or tried others"
        with pytest.raises(BudgetExhausted):
            searcher.find(_table_task(whole, (12,), budget=0.1), np.random.default_rng(0))

    def _create(self) -> Method:
        return create(self.method, self.constants)

    def _search(self, size: int, budget: float | None = None, seed: int = 0) -> tuple[BankTask, Ensemble]:
        task = BankTask.of(small_bank(), size, budget or self.budget, seed)
        return task, self._create().search(task, np.random.default_rng(seed))

    def _budgets(self) -> Iterator[float]:
        """From what pays for a whole search to what pays for hardly a training."""
        return (self.budget / 4**step for step in range(5) if self.budget / 4**step >= _cheapest())

    def _require_valid(self, task: BankTask, ensemble: Ensemble, size: int) -> None:
        assert isinstance(ensemble, Ensemble), f"`search` returns a tasks.task.Ensemble, not {ensemble!r}"
        assert 1 <= len(ensemble.members) <= size, f"{len(ensemble.members)} members were found, {size} asked for"
        assert all(isinstance(member, Member) and task.sold(member) for member in ensemble.members), (
            "each member is one that `task.train` returned"
        )
        assert min(ensemble.weights) >= 0, f"no weight is negative, of {ensemble.weights}"
        assert sum(ensemble.weights) == pytest.approx(1), f"weights sum to 1, {ensemble.weights} do not"


def _cheapest() -> float:
    """TE that the cheapest network of the small bank costs."""
    bank = small_bank()
    return min(map(BankTask.of(bank, 1, 10).training_cost, bank.space.classes))


def _outcome(task: Task, ensemble: Ensemble) -> Key:
    """What a search found and paid."""
    members = tuple((member.architecture, member.seed) for member in ensemble.members)
    return (*members, ensemble.weights, ensemble.averaging, *sorted(task.budget.spent.items()))


def _defined_with(kind: type) -> list[object]:
    """What is written in a class, in those that it derives from, and in the module around it."""
    places: list[Mapping[str, Any]] = [vars(base) for base in kind.__mro__ if base is not object]
    places.append(vars(sys.modules[kind.__module__]))
    return [value for place in places for name, value in place.items() if not name.startswith("__")]


def _odd_values(method: Method) -> Iterator[tuple[str, Any]]:
    """Each constant, with values that few methods have a use for."""
    for field in fields(method):
        default = getattr(method, field.name)
        if isinstance(default, str):
            yield field.name, "no-such-word"
        elif isinstance(default, int | float) and not isinstance(default, bool):
            for value in (-1, 0):
                yield field.name, type(default)(value)


def _table_task(space: Space, lengths: tuple[int, ...], budget: float) -> TableTask:
    """A table on which a whole training takes a second, and accuracies are random."""
    accuracies = np.random.default_rng(0).random((space.size, len(lengths)))
    return TableTask(space, accuracies, np.ones(space.size), np.zeros(space.size), lengths, Budget(budget, "s"))


def _part_of(space: Space) -> Space:
    """In which few networks have a neighbour that differs on one edge."""
    return Space(space.name, space.architectures[::200])
