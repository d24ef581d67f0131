from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from ness_bench.banks.plan import drawn_classes
from ness_bench.ensembles.metrics import nll
from ness_bench.ensembles.quantised import MOST_MEMBERS
from ness_bench.ensembles.selection import forward_select
from ness_bench.errors import NessBenchError
from ness_bench.methods.darts import derive
from ness_bench.methods.method import create, methods
from ness_bench.methods.predicted_pool import predicted_pool
from ness_bench.methods.random_pool import random_architectures
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import canonical
from ness_bench.spaces.space import Space
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.task import true_class
from ness_bench.testing import MethodContract

SINGLE = {"bohb", "darts", "random-search", "regularized-evolution", "reinforce", "seminas", "snas-reinforce"}
ONE_ARCHITECTURE = {"darts-ensemble", "deep-ensemble"}
DETERMINISTIC = {"darts", "darts-ensemble"}
QUICK = {"seminas": {"hidden": 8, "pretraining_epochs": 2, "epochs": 1, "pseudo_labelled": 50}}


def search(name, bank, size=3, budget=300.0, seed=0, **constants):
    task = BankTask.of(bank, size, budget, seed)
    return task, create(name, constants).search(task, np.random.default_rng(seed))


def contract_of(name):
    """What `name` owes, as a class of tests."""
    promises = {
        "method": name,
        "returns": "one" if name in SINGLE else "as many",
        "deterministic": name in DETERMINISTIC,
        "largest": 5 if name in ONE_ARCHITECTURE else MOST_MEMBERS,  # so many seeds does the bank have of one
        "constants": QUICK.get(name, {}),
    }
    return type("Test" + name.title().replace("-", ""), (MethodContract,), promises)


globals().update({kind.__name__: kind for kind in map(contract_of, methods())})


def test_random_search_keeps_the_best_it_trained(bank):
    """With a budget for everything that is the best of the bank."""
    task, ensemble = search("random-search", bank, budget=1_000)
    rows = np.flatnonzero(bank.members.seeds == 0)
    accuracies = bank.members.curves[rows, -1]
    found = bank.members.row(ensemble.members[0].architecture, 0)
    assert bank.members.curves[found, -1] == accuracies.max()
    assert task.budget.spent["training"] == pytest.approx(sum(map(task.training_cost, task.space.classes)))


def test_nes_rs_is_forward_selection_over_its_pool(bank):
    task, ensemble = search("nes-rs", bank, size=4, budget=1_000)
    pool = [task.train(architecture, 0) for architecture in random_architectures(task.space, np.random.default_rng(0))]
    chosen = forward_select(true_class(pool, task.val_labels), 4)
    assert [m.architecture for m in ensemble.members] == [pool[row].architecture for row in chosen]


def test_nes_re_mutates_what_forward_selection_picks(bank):
    """With one parent candidate, that is the best so far, every child is a nearest new neighbour of it."""
    task, _ = search("nes-re", bank, budget=12, population=5, parents=1)
    order = [architecture for architecture, _ in task._trained]
    assert len(set(order)) == len(order) > 7
    alive = order[:5]
    for step, child in enumerate(order[5:], start=5):
        losses = [nll(task.train(a, 0).val, task.val_labels) for a in alive]
        parent = alive[int(np.argmin(losses))]
        neighbours = task.space.neighbours(parent, besides=order[:step])
        assert child in map(task.space.canonical, neighbours)
        alive = [*alive[1:], child]
    whole, _ = search("nes-re", bank, budget=1_000)
    assert {architecture for architecture, _ in whole._trained} == set(bank.space.classes)


def test_deep_ensemble_is_one_architecture_with_n_seeds(bank):
    for name in ("deep-ensemble", "darts-ensemble"):
        _, ensemble = search(name, bank, size=5)
        assert len({m.architecture for m in ensemble.members}) == 1
        assert [m.seed for m in ensemble.members] == [0, 1, 2, 3, 4]


def test_deep_ensemble_draws_among_networks_whose_seeds_are_no_prize(bank):
    """Not among those that the bank gave further seeds because they do well."""
    task, ensemble = search("deep-ensemble", bank, size=5, budget=1_000)
    plan = bank.manifest.plan
    repeated = drawn_classes(plan)[: plan.random_repeated]
    assert {architecture for architecture, _ in task._trained} == set(repeated)
    assert len(repeated) < sum(task.seeds(a) == 5 for a in task.space.classes)
    losses = [nll(task.train(a, 0).val, task.val_labels) for a in repeated]
    assert ensemble.members[0].architecture == repeated[int(np.argmin(losses))]


def test_darts_takes_the_strongest_operation_of_every_edge():
    alphas = np.random.default_rng(0).normal(size=(6, 5))
    assert derive(alphas, Space.whole()) == tuple(alphas.argmax(1).tolist())
    small = Space.whole().restrict(Space.whole().classes[100:110])
    ratings = [sum(a[o] - np.log(np.exp(a).sum()) for a, o in zip(alphas, x, strict=True)) for x in small.architectures]
    assert derive(alphas, small) == small.architectures[int(np.argmax(ratings))]


def test_members_of_a_k_dpp_are_different_networks(bank):
    """Hot, any; cold, the one that the posterior is certain of, and others."""
    _, ensemble = search("ness-k-dpp", bank, size=5, draws=1, temperature=1e9)
    assert len({m.architecture for m in ensemble.members}) == 5
    _, ensemble = search("ness-k-dpp", bank, size=2, draws=1, temperature=0.01, budget=3000)
    assert len({m.architecture for m in ensemble.members}) == 2
    _, certain = search("ness-mc", bank, size=1, temperature=0.01, budget=3000)
    assert certain.members[0].architecture in {m.architecture for m in ensemble.members}


def test_a_pool_stands_for_the_posterior_and_holds_no_network_twice(bank):
    """Each network counts its probability over that of being drawn, so that means over many pools are the posterior's.

    Without the correction probable networks would count twice.
    """
    supernet = BankTask.of(bank, 3, 10_000).supernet("uniform", 2)
    free = SimpleNamespace(predict=lambda architectures: np.zeros((len(architectures), 250, 10)))
    strings = Counter(map(canonical, bank.space.architectures))
    support = np.array([a for a in bank.space.architectures if strings[canonical(a)] < 20], np.int8)
    posterior = Posterior(np.random.default_rng(0).normal(size=(6, 5)), support)
    mass = Counter()
    for architecture, probability in zip(support.tolist(), posterior.probabilities, strict=True):
        mass[canonical(tuple(architecture))] += probability
    rng, found, twice = np.random.default_rng(1), dict.fromkeys(mass, 0.0), dict.fromkeys(mass, 0.0)
    for _ in range(600):
        pool, _ = predicted_pool(posterior, free, 5, 3, rng)
        networks = [canonical(tuple(a)) for a in pool.support.tolist()]
        assert len(set(networks)) == 5
        again = np.array([mass[network] for network in networks])
        for network, probability, uncorrected in zip(networks, pool.probabilities, again / again.sum(), strict=True):
            found[network] += probability / 600
            twice[network] += uncorrected / 600

    def distance(of):
        return sum(abs(of[network] - mass[network]) for network in mass) / 2

    assert distance(found) < 0.03
    assert distance(twice) > 0.1
    whole, predictions = predicted_pool(posterior, supernet, 100, 3, rng)
    np.testing.assert_array_equal(predictions, supernet.predict(whole.support))
    expected = [mass[canonical(tuple(a))] for a in whole.support.tolist()]
    np.testing.assert_allclose(whole.probabilities, expected)
    with pytest.raises(NessBenchError, match="a pool of 2 architectures cannot give ensembles of 3"):
        predicted_pool(posterior, free, 2, 3, rng)


def test_ness_buys_the_kind_of_supernet_that_it_was_told_to(bank):
    task, _ = search("ness-mc", bank, supernet_kind="darts")
    assert task.budget.spent["supernet"] == pytest.approx(task.supernet_epochs("darts")[1])
    with pytest.raises(NessBenchError, match='holds no "gdas" supernet; it holds: darts, uniform'):
        search("ness-mc", bank, supernet_kind="gdas")


def test_ness_averages_what_it_was_told_to(bank):
    _, ensemble = search("ness-mc", bank, averaging="logits")
    assert ensemble.averaging == "logits"
    _, ensemble = search("ness-mc", bank)
    assert ensemble.averaging == "probabilities"


def test_ness_buys_the_supernet_that_it_was_told_to(bank):
    for epochs in (1, 2):
        task, _ = search("ness-mc", bank, supernet_epochs=epochs)
        assert task.budget.spent["supernet"] == pytest.approx(epochs)
    with pytest.raises(NessBenchError, match=r"no \"uniform\" supernet of 7 epochs; lengths: \[1, 2\]"):
        search("ness-mc", bank, supernet_epochs=7)


@pytest.mark.parametrize("name", ["ness-mc", "ness-svgd-rd", "ness-svgd-predictions"])
def test_ness_draws_what_inherited_weights_favour(bank, name):
    """Cold, the posterior sits on what the supernet likes best; hot, it is uniform."""
    stored = next(s for s in bank.supernets if s.name == "uniform-2-seed0")
    scores = -stored.nll[stored.rows(bank.space.array)]
    ranks = {a: scores[bank.space.architectures.index(a)] for a in bank.space.architectures}
    by_class = {c: max(s for a, s in ranks.items() if bank.space.canonical(a) == c) for c in bank.space.classes}

    def mean_score(temperature):
        means = []
        for seed in (0, 2, 4):  # the repetitions that get this supernet
            _, ensemble = search(name, bank, budget=3000, seed=seed, temperature=temperature, epochs=100, draws=1)
            means += [by_class[m.architecture] for m in ensemble.members]
        return np.mean(means)

    assert mean_score(1.0) > mean_score(1e6)


def test_ness_buys_the_longest_supernet_within_its_share(bank):
    for share, cost in ((0.001, 1), (0.004, 1), (0.007, 2), (1.0, 2)):
        task, _ = search("ness-mc", bank, supernet_share=share)
        assert task.budget.spent["supernet"] == pytest.approx(cost)


def test_an_architecture_drawn_more_often_than_there_are_seeds_weighs_more(bank):
    from ness_bench.methods.ness import train

    task = BankTask.of(bank, 4, 30)
    single = next(a for a in task.space.classes if task.seeds(a) == 1)
    several = next(a for a in task.space.classes if task.seeds(a) == 5)
    ensemble = train(task, [single, single, several, several])
    assert [(m.architecture, m.seed) for m in ensemble.members] == [(single, 0), (several, 0), (several, 1)]
    assert ensemble.weights == (0.5, 0.25, 0.25)


def test_a_whole_number_is_a_number():
    assert repr(create("ness-svgd-rd", {"delta": 2})) == repr(create("ness-svgd-rd", {"delta": 2.0}))


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("nes-er", {}, 'unknown method "nes-er"; did you mean "nes-r'),
        ("nes-re", {"populaton": 3}, 'did you mean "population"'),
        ("nes-re", {"population": 3.5}, "must be a whole number"),
        ("nes-re", {"population": 0}, "population >= 1"),
        ("ness-mc", {"temperature": 0.0}, "must be positive"),
        ("ness-mc", {"temperature": -1}, "must be positive"),
        ("ness-svgd-rd", {"sigma": 0.0}, "sigma"),
        ("ness-svgd-rd", {"delta": "much"}, "must be a finite number"),
        ("ness-svgd-rd", {"delta": float("nan")}, "must be a finite number"),
        ("ness-mc", {"temperature": True}, "must be a finite number"),
        ("nes-re", {"parents": True}, "must be a whole number"),
        ("ness-mc", {"inference": "exact"}, "allowed: score-function, straight-through"),
        ("ness-mc", {"averaging": "odds"}, "allowed: probabilities, logits"),
        ("ness-mc", {"supernet_epochs": -1}, "give 0, or a length on offer"),
        ("ness-mc", {"supernet_share": -0.1}, "give 0 or more"),
        ("ness-mc", {"statistics": "split2"}, "allowed: batch, split, calibrated"),
        ("ness-mc", {"learning_rate": -0.1}, "learning_rate is -0.1; it must be above 0"),
        ("ness-k-dpp", {"pool": 0}, "must be at least 1"),
    ],
)
def test_bad_constants_are_refused(name, constants, message):
    with pytest.raises(NessBenchError, match=message):
        create(name, constants)
