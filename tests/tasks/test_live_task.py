import numpy as np
import pytest

from ness_bench.banks.inherited_scores import BATCH
from ness_bench.banks.jobs import load_data, skeleton_of
from ness_bench.errors import NessBenchError
from ness_bench.methods.method import create
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.live import LiveTask
from ness_bench.testing.reachable import reachable
from ness_bench.testing.small_bank import small_plan
from ness_bench.training.fit import fit
from ness_bench.training.one_shot import inherited

PLAN = small_plan()
DATA, SKELETON = load_data(PLAN), skeleton_of(PLAN)


def live(size=3, budget=300.0, repetition=0):
    return LiveTask(DATA, SKELETON, PLAN.recipe, size, budget, repetition)


def test_ness_searches_from_nothing():
    task = live()
    ensemble = create("ness-svgd-rd", {"epochs": 2}).search(task, np.random.default_rng(0))
    for member in ensemble.members:
        expected = fit(member.architecture, DATA, SKELETON, PLAN.recipe, member.seed)
        np.testing.assert_array_equal(member.val, expected.val)
    spent = task.budget.spent
    assert spent["supernet"] == pytest.approx(40)  # epochs, where the members train for one
    assert spent["training"] == pytest.approx(sum(task.training_cost(m.architecture) for m in ensemble.members))
    assert sum(spent.values()) <= 300


def test_alpha_can_be_inferred_through_the_supernet():
    task = live()
    create("ness-mc", {"epochs": 2, "inference": "straight-through"}).search(task, np.random.default_rng(0))
    drawn = 10 * 3 * max(map(task.training_cost, task.space.classes)) * 250 / 480 / 3  # what choosing costs at most
    gradients = 2 * task._cost.mixed_gradient(250)
    assert gradients < task.budget.spent["evaluation"] < gradients + drawn


def test_a_search_by_trial_does_not_pay_twice_for_what_it_found():
    task = live(size=1, budget=2.0)
    ensemble = create("random-search").search(task, np.random.default_rng(0))
    assert task.sold(ensemble.members[0])
    assert sum(task.budget.spent.values()) <= 2


def test_an_evaluation_trains_once():
    task = live()
    architecture = task.space.architectures[9_930]
    accuracy = task.evaluate(architecture)
    member = task.train(architecture, 0)
    assert accuracy == (member.val.argmax(1) == task.val_labels).mean()
    assert task.budget.spent["training"] == pytest.approx(task.training_cost(architecture))


def test_supernet_scores_are_those_of_its_passes():
    task = live()
    supernet = task.supernet("uniform", 40)
    asked, images = task.space.array[[5, 900]], DATA.normalise(DATA.val.pixels)
    predicted = supernet.predict(asked)
    for row, architecture in enumerate(asked.tolist()):
        for batch, first in enumerate(range(0, len(images), BATCH)):
            part = slice(first, first + BATCH)
            found = inherited.probabilities(supernet.scores.model, tuple(architecture), images[part])
            np.testing.assert_allclose(predicted[row, part], found, atol=1e-4)
            expected = found[np.arange(len(found)), DATA.val.labels[part]]
            summed = supernet.log_likelihoods(asked[row : row + 1], np.array([batch]))
            np.testing.assert_allclose(summed, np.log(expected).sum(), rtol=1e-3)


def test_it_leads_to_no_test_image():
    task = live()
    assert len(task._data.test) == 1
    np.testing.assert_array_equal(task._data.test.pixels, DATA.val.pixels[:1])
    arrays = [thing for thing in reachable(task) if isinstance(thing, np.ndarray)]
    assert any(array is DATA.val.pixels for array in arrays)  # the search would see it
    assert not any(np.may_share_memory(array, DATA.test.pixels) for array in arrays)
    assert not any(len(DATA.test) in array.shape for array in arrays)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(NessBenchError, match="ask for 1 to 5044"):
        live(size=0)
    with pytest.raises(NessBenchError, match="pays for no member"):
        live(budget=0.01)
    with pytest.raises(NessBenchError, match="kinds: uniform, rsps, darts, darts-v2, gdas, snas"):
        live().supernet("enas", 1)
    with pytest.raises(NessBenchError, match=r"lengths: \[40, 80, 160\]"):
        live().supernet("uniform", 3)
    task = live(budget=1.0)
    with pytest.raises(BudgetExhausted):
        task.supernet("uniform", 40)
    assert task.budget.spent["supernet"] == 0
