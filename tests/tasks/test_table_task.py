"""Searches on a table: what is seen, what it costs, what cannot be reached."""

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.spaces.space import Space
from ness_bench.tables.embedded import embedded
from ness_bench.tables.folder import open_table, write_table
from ness_bench.tables.table import Networks, Run
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.protocols import PROTOCOLS, SearchProtocol, protocol_named
from ness_bench.tasks.table import TableTask, signal_of
from ness_bench.testing.reachable import reachable

PROTOCOL = PROTOCOLS["nas-bench-201"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """12-epoch curves of two seeds, the second missing for half of the architectures, and test accuracies."""
    size = len(architectures())
    rng = np.random.default_rng(0)
    val, test = rng.uniform(10, 95, (size, 2, 12)).astype(np.float32), rng.uniform(10, 95, (size, 1, 1))
    val[::2, 1] = np.nan
    train = np.repeat(rng.uniform(40, 200, (size, 1)), 2, axis=1)
    runs = {
        ("cifar10-valid", 12): Run((111, 777), {"val": val}, train, {"val": train / 40}),
        ("cifar10", 200): Run((777,), {"test": test.astype(np.float32)}, 30 * train[:, :1], {}),
    }
    costs = np.ones(size)
    networks = {name: Networks(costs, costs, costs) for name in ("cifar10-valid", "cifar10")}
    folder = tmp_path_factory.mktemp("tables") / "table"
    write_table(folder, "made up", np.arange(size), runs, networks)
    return open_table(folder)


def test_an_evaluation_is_one_trainings_accuracy_for_its_seconds(table):
    """As the official API simulates it: the training until then, and one pass over the validation split."""
    task, run = TableTask.of(table, "cifar10", PROTOCOL, repetition=3), table.runs["cifar10-valid", 12]
    spent = 0.0
    for row, epochs in ((17, 12), (18, 1), (17, 12), (2_222, 7)):
        architecture = table.architectures[row]
        accuracy = task.evaluate(architecture, epochs)
        assert 100 * accuracy in [pytest.approx(seed) for seed in run.accuracy["val"][row, :, epochs - 1] if seed > 0]
        spent += run.train_seconds[row, 0] * epochs / 12 + run.evaluation_seconds["val"][row, 0]
        assert sum(task.budget.spent.values()) == pytest.approx(spent)
    assert task.trials[0][:3] == task.trials[2][:3]  # the same training; paid again


def test_the_seed_that_is_seen_is_drawn_anew_in_each_repetition(table):
    row = 1  # trained with both seeds
    both = table.runs["cifar10-valid", 12].accuracy["val"][row, :, -1] / 100
    seen = {
        int(
            np.abs(
                both - TableTask.of(table, "cifar10", PROTOCOL, repetition).evaluate(table.architectures[row])
            ).argmin()
        )
        for repetition in range(20)
    }
    assert seen == {0, 1}


def test_which_seed_is_seen_does_not_follow_from_what_a_method_draws():
    """A method's random numbers start from the repetition alone."""
    size = len(architectures())
    for repetition in range(3):
        own = np.random.default_rng(repetition).random((size, 3))
        task = TableTask.of(embedded(), "cifar10", PROTOCOL, repetition)
        accuracies = embedded().curves("cifar10", "val", 200)[:, :, 0]
        linked = np.where(np.isfinite(accuracies), own, -1).argmax(1)
        seen = np.array([task.evaluate(a) for a in embedded().architectures[:80]])
        assert not np.allclose(seen, accuracies[np.arange(80), linked[:80]] / 100)


def test_a_training_goes_on_for_the_price_of_its_further_epochs(table):
    task, architecture = TableTask.of(table, "cifar10", PROTOCOL), table.architectures[5]
    run = table.runs["cifar10-valid", 12]
    with pytest.raises(NessBenchError, match="from epoch 3, but this search has paid 0 epochs"):
        task.evaluate(architecture, 6, trained=3)
    task.evaluate(architecture, 3)
    before = task.budget.left
    task.evaluate(architecture, 12, trained=3)
    price = run.train_seconds[5, 0] * 9 / 12 + run.evaluation_seconds["val"][5, 0]
    assert before - task.budget.left == pytest.approx(price)
    with pytest.raises(
        NessBenchError, match="after 13 epochs was asked for; on offer: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
    ):
        task.evaluate(architecture, 13)


def test_the_last_trial_may_overshoot_unless_the_protocol_is_strict(table):
    for strict in (False, True):
        task = TableTask.of(table, "cifar10", PROTOCOL, strict=strict)
        with pytest.raises(BudgetExhausted):
            list(map(task.evaluate, table.architectures))
        spent = sum(task.budget.spent.values())
        assert (spent > 12_000) is not strict
        dearest = max(map(task.evaluation_cost, table.architectures[: len(task.trials) + 1]))
        assert 12_000 - dearest < spent < 12_000 + dearest
        assert task.trials[-1][3] == pytest.approx(spent)
        assert strict or task.trials[-2][3] < 12_000


def test_no_path_leads_to_the_test_split(table):
    task = TableTask.of(table, "cifar10", PROTOCOL)
    assert not any(thing is table for thing in reachable(task))
    secret = np.asarray(table.curves("cifar10", "test", 200))
    for thing in reachable(task):
        if isinstance(thing, np.ndarray) and thing.size == secret.size and thing.dtype.kind == "f":
            assert not np.isclose(thing.ravel(), secret.ravel()).any() or not np.allclose(thing.ravel(), secret.ravel())


def test_a_table_without_the_signal_is_searched_by_what_it_has_for_as_many_trainings():
    signal = signal_of(embedded(), "cifar10", PROTOCOL)
    assert (signal.epochs, signal.seconds, signal.as_published, signal.validation_measured) == (
        200,
        200_000,
        False,
        False,
    )
    task = TableTask.of(embedded(), "cifar10", PROTOCOL)
    run = embedded().runs["cifar10-valid", 200]
    price = run.train_seconds[7, 0] * (1 + 1 / (200 * 3))  # as many images again, a third of the work
    assert task.evaluation_cost(embedded().architectures[7]) == pytest.approx(price)
    assert task.epochs == (200,)
    with pytest.raises(NessBenchError, match="no cifar10 val accuracy after 90 epochs"):
        signal_of(embedded(), "cifar10", SearchProtocol({"cifar10": 1}, "none", report_epochs=90))


def test_a_table_without_times_cannot_be_paid(tmp_path):
    nothing, accuracy = np.full(2, np.nan), np.full((2, 1, 1), 50, np.float32)
    runs = {("cifar10-valid", 12): Run((), {"val": accuracy}, nothing[:, None], {})}
    networks = {"cifar10-valid": Networks(nothing, nothing, nothing)}
    write_table(tmp_path / "t", "made up", np.array([3, 10]), runs, networks)
    with pytest.raises(NessBenchError, match=r"does not say how long all trainings of 12 epochs on cifar10 took"):
        TableTask.of(open_table(tmp_path / "t"), "cifar10", PROTOCOL)


def test_architectures_that_a_table_lacks_are_outside_of_the_space(tmp_path):
    index = np.array([3, 10, 12])
    accuracy = np.full((3, 1, 1), 50, np.float32)
    accuracy[1] = np.nan
    runs = {("cifar10-valid", 12): Run((), {"val": accuracy}, np.ones((3, 1)), {})}
    nothing = np.full(3, np.nan)
    write_table(tmp_path / "t", "made up", index, runs, {"cifar10-valid": Networks(nothing, nothing, nothing)})
    task = TableTask.of(open_table(tmp_path / "t"), "cifar10", PROTOCOL)
    assert task.space.architectures == (architectures()[3], architectures()[12])
    with pytest.raises(NessBenchError, match="outside of the task's space"):
        task.evaluate(architectures()[10])
    assert TableTask.of(embedded(), "cifar100", PROTOCOLS["nats-bench"]).space is Space.whole()


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("nas-bench-210", "cifar10", 'unknown protocol "nas-bench-210"; did you mean "nas-bench-201"'),
        ("nas-bench-201", "cifar100", 'protocol "nas-bench-201" searches on cifar10, but "cifar100" was given'),
        ("nats-bench", "cifar10-valid", "searches on cifar10, cifar100, imagenet16-120, but"),
    ],
)
def test_protocols_are_known_by_name(name, dataset, message):
    with pytest.raises(NessBenchError, match=message):
        protocol_named(name, dataset)
