from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ness_bench.banks.inherited_scores import BATCH
from ness_bench.banks.jobs import load_data
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import flops, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import NONE, prune
from ness_bench.spaces.space import Space
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.testing.reachable import reachable
from ness_bench.training.one_shot import inherited


def test_no_path_leads_from_a_task_to_the_test_split(bank):
    task = BankTask.of(bank, 3, 100)
    member = task.train(task.space.classes[0])
    things = reachable((task, member, task.supernet("uniform", 1)))
    arrays = [thing for thing in things if isinstance(thing, np.ndarray)]
    assert any(np.shares_memory(array, bank.val.labels) for array in arrays)  # the search would see it
    for array in arrays:
        assert not np.may_share_memory(array, bank.test.units)
        assert not any(np.array_equal(array, of) for of in (bank.test.labels, *vars(bank.test_scores).values()))
        assert len(bank.test.labels) not in array.shape
    assert not any(isinstance(thing, np.memmap) for thing in things)  # it would name its file
    assert not any(thing is bank or (isinstance(thing, Path) and thing == bank.folder) for thing in things)


def test_training_is_charged_once_and_seeds_count_up(bank):
    task = BankTask.of(bank, 3, 100)
    repeated = next(a for a in task.space.classes if task.seeds(a) == 5)
    first, second = task.train(repeated), task.train(repeated)
    assert (first.seed, second.seed) == (0, 1)
    assert task.budget.spent["training"] == pytest.approx(2 * task.training_cost(repeated))
    assert task.train(repeated, 1) is second
    assert task.budget.spent["training"] == pytest.approx(2 * task.training_cost(repeated))
    np.testing.assert_array_equal(first.val, bank.val.probabilities([bank.members.row(repeated, 0)])[0])
    single = next(a for a in task.space.classes if task.seeds(a) == 1)
    task.train(single)
    with pytest.raises(NessBenchError, match="holds seeds 0 to 0 of it"):
        task.train(single)
    with pytest.raises(NessBenchError, match="outside of the task's space"):
        task.train(next(a for a in Space.whole().classes if a not in task.space))


def test_an_evaluation_is_a_share_of_a_training_and_the_whole_trains_it(bank):
    task, last = BankTask.of(bank, 3, 100), bank.recipe.epochs
    architecture = task.space.classes[0]
    price, row = task.training_cost(architecture), bank.members.row(architecture, 0)
    assert task.epochs == tuple(range(1, last + 1))
    assert task.evaluate(architecture, 1) == bank.members.curves[row, 0]
    assert task.budget.spent["training"] == pytest.approx(price / last)
    assert task.evaluate(architecture, last, trained=1) == bank.members.curves[row, -1]
    assert task.budget.spent["training"] == pytest.approx(price)
    member = task.train(architecture)
    assert task.sold(member)
    assert member.seed == 0
    assert task.budget.spent["training"] == pytest.approx(price)  # it is trained already
    task.train(architecture, 0)
    assert task.budget.spent["training"] == pytest.approx(price)
    task.evaluate(architecture)
    assert task.budget.spent["training"] == pytest.approx(2 * price)  # evaluated anew, paid anew


def test_architectures_of_one_functional_class_are_one_network(bank):
    task = BankTask.of(bank, 3, 100)
    twins = next(
        (a, b) for a in task.space.architectures for b in task.space.architectures
        if a != b and task.space.canonical(a) == task.space.canonical(b)
    )  # fmt: skip
    assert task.train(twins[0], 0) is task.train(twins[1], 0)
    for architecture in task.space.architectures:
        assert task.training_cost(architecture) == task.training_cost(task.space.canonical(architecture))


def test_a_method_that_overspends_is_stopped(bank):
    task = BankTask.of(bank, 3, 2)
    classes = iter(task.space.classes)
    with pytest.raises(BudgetExhausted):
        list(map(task.train, classes))
    assert task.budget.left >= 0
    with pytest.raises(BudgetExhausted):
        task.supernet("darts", 1)
    spent = task.budget.spent
    with pytest.raises(BudgetExhausted, match="inherited weights"):
        BankTask.of(bank, 3, 2.5).supernet("uniform", 2).predict(task.space.array)
    assert task.budget.spent == spent


def test_supernets_take_turns_and_are_charged(bank):
    prices = BankTask.of(bank, 3, 100).supernet_epochs("uniform")
    assert prices == {1: pytest.approx(1), 2: pytest.approx(2)}  # the members train for one epoch
    seeds = []
    for repetition in range(3):
        task = BankTask.of(bank, 3, 100, repetition)
        seeds.append(task.supernet("uniform", 2).scores.seed)
        assert task.budget.spent == {"training": 0, "supernet": pytest.approx(2), "evaluation": 0}
    assert seeds == [0, 1, 0]
    with pytest.raises(NessBenchError, match="it holds: darts, uniform"):
        task.supernet("gdas", 1)
    with pytest.raises(NessBenchError, match=r"lengths: \[1, 2\]"):
        task.supernet("uniform", 3)


def distinct_paths(task, count):
    paths = {prune(architecture): architecture for architecture in task.space.architectures}
    return np.array(list(paths.values())[:count], np.int8)


def one_pass_over(architectures, bank):
    """TE of passing one image through each."""
    return sum(flops(tuple(a), bank.skeleton) for a in architectures.tolist()) / mean_flops(bank.skeleton) / (3 * 480)


def test_inherited_passes_are_charged_by_flops(bank):
    task = BankTask.of(bank, 3, 100)
    supernet = task.supernet("uniform", 1)
    architectures = distinct_paths(task, 7)
    one_pass = one_pass_over(architectures, bank)
    predicted = supernet.predict(architectures)
    assert predicted.shape == (7, 250, 10)
    np.testing.assert_allclose(predicted.sum(-1), 1, rtol=1e-5)
    assert task.budget.spent["evaluation"] == pytest.approx(250 * one_pass)
    supernet.predict(architectures)  # again, for nothing
    assert task.budget.spent["evaluation"] == pytest.approx(250 * one_pass)
    last, first = np.array([supernet.batches - 1]), np.array([0])
    assert supernet.log_likelihoods(architectures, last).shape == (7,)
    assert task.budget.spent["evaluation"] == pytest.approx((250 + 250 % BATCH) * one_pass)
    both = supernet.log_likelihoods(architectures, np.array([0, supernet.batches - 1]))
    parts = supernet.log_likelihoods(architectures, last) + supernet.log_likelihoods(architectures, first)
    np.testing.assert_allclose(both, parts)


def test_statistics_of_the_split_see_all_of_it_at_once(bank):
    task = BankTask.of(bank, 3, 100)
    supernet, architectures = task.supernet("uniform", 2, "split"), distinct_paths(task, 3)
    first = supernet.log_likelihoods(architectures, np.array([0]))
    whole = pytest.approx(250 * one_pass_over(architectures, bank))
    assert task.budget.spent["evaluation"] == whole
    predicted = supernet.predict(architectures)
    assert task.budget.spent["evaluation"] == whole  # they have been passed
    stored = next(s for s in bank.supernets if s.name == "uniform-2-seed0")
    for row, architecture in enumerate(architectures.tolist()):
        expected = inherited.probabilities(stored.model, tuple(architecture), stored.images)
        np.testing.assert_allclose(predicted[row], expected, atol=1e-5)
        likelihoods = expected[np.arange(BATCH), task.val_labels[:BATCH]]
        assert first[row] == pytest.approx(np.log(likelihoods).sum(), rel=1e-4)


def test_calibrated_statistics_are_those_of_training_images(bank):
    """A prediction then depends on its own image only; calibration is paid once an architecture."""
    task = BankTask.of(bank, 3, 100)
    supernet, architectures = task.supernet("uniform", 2, "calibrated"), distinct_paths(task, 3)
    one_pass = one_pass_over(architectures, bank)
    likelihoods = supernet.log_likelihoods(architectures, np.array([1, 0]))
    assert task.budget.spent["evaluation"] == pytest.approx((480 + 2 * BATCH) * one_pass)
    supernet.log_likelihoods(architectures, np.array([1]))
    assert task.budget.spent["evaluation"] == pytest.approx((480 + 3 * BATCH) * one_pass)
    stored = next(s for s in bank.supernets if s.name == "uniform-2-seed0")
    data = load_data(bank.manifest.plan)
    calibration = data.normalise(data.train.pixels)
    for row, architecture in enumerate(architectures.tolist()):
        images = stored.images[: 2 * BATCH]
        expected = inherited.probabilities(stored.model, tuple(architecture), images, calibration)
        right = expected[np.arange(2 * BATCH), task.val_labels[: 2 * BATCH]]
        assert likelihoods[row] == pytest.approx(np.log(right).sum(), rel=1e-4)
    with pytest.raises(NessBenchError, match='"calibrate"; did you mean "calibrated"'):
        task.supernet("uniform", 2, "calibrate")


def test_calibration_without_the_training_images_costs_nothing(bank):
    plan = replace(bank.manifest.plan, data="gone.npz")
    task = BankTask.of(replace(bank, manifest=bank.manifest.model_copy(update={"plan": plan})), 3, 100)
    with pytest.raises(NessBenchError, match=r"gone.npz is missing"):
        task.supernet("uniform", 2, "calibrated")
    assert task.budget.left == 100


def test_a_gradient_through_the_supernet_is_paid_as_mixed_passes(bank):
    task = BankTask.of(bank, 3, 100)
    supernet, batches = task.supernet("uniform", 2), np.array([0, 2])
    gradient = supernet.log_likelihood_gradient(task.space.array[4], batches)
    mixed = mixed_flops(bank.skeleton) / mean_flops(bank.skeleton)
    assert task.budget.spent["evaluation"] == pytest.approx(mixed * (BATCH + 250 % BATCH) / 480)
    parts = [supernet.log_likelihood_gradient(task.space.array[4], np.array([batch])) for batch in batches]
    np.testing.assert_allclose(gradient, np.sum(parts, axis=0))
    assert np.abs(gradient).max() > 0
    np.testing.assert_array_equal(gradient[:, NONE], 0)


@pytest.mark.parametrize(
    ("size", "budget", "message"), [(0, 10, "ask for 1 to"), (500, 10, "covers"), (3, 0.01, "pays for no member")]
)
def test_impossible_tasks_are_refused(bank, size, budget, message):
    with pytest.raises(NessBenchError, match=message):
        BankTask.of(bank, size, budget)
