import itertools

import numpy as np
import pytest

from ness_bench.ensembles.metrics import accuracy
from ness_bench.errors import NessBenchError
from ness_bench.methods.bohb import Density, brackets, nearest
from ness_bench.methods.method import create
from ness_bench.methods.random_pool import in_random_order
from ness_bench.sampling.inference import leave_one_out_gradient
from ness_bench.spaces.nas_bench_201 import neighbours
from ness_bench.spaces.space import Space
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.budget import Budget, BudgetExhausted
from ness_bench.tasks.table import TableTask

WHOLE = Space.whole()
SMALL = Space("nas_bench_201", tuple(itertools.product((1, 3), repeat=6)))
"""64 architectures."""


def a_task(accuracies, budget, space=WHOLE, epochs=(12,), seconds=1.0):
    """A table on which a whole training takes `seconds`, and validation none."""
    curves = np.broadcast_to(np.reshape(accuracies, (space.size, -1)), (space.size, len(epochs)))
    train_seconds = np.broadcast_to(np.asarray(seconds, float), space.size)
    return TableTask(space, curves, train_seconds, np.zeros(space.size), epochs, Budget(budget, "s"))


def additive(space=WHOLE, seed=0):
    """Accuracies, each a sum over edges."""
    worth = np.random.default_rng(seed).random((6, 5)) / 6
    return worth[np.arange(6), space.array].sum(1)


def find(name, task, seed=0, **constants):
    return create(name, constants).find(task, np.random.default_rng(seed))


def best_of(trials):
    return max(trials, key=lambda trial: trial[2])[0]


def test_random_search_keeps_the_best_it_saw():
    task = a_task(np.random.default_rng(0).random(WHOLE.size), 50)
    found = find("random-search", task)
    assert found == best_of(task.trials)
    assert len({architecture for architecture, *_ in task.trials}) == 50


def test_regularized_evolution_mutates_the_best_alive():
    """So many draws that the best of the population is among them; one that died is no parent, however good."""
    task = a_task(np.random.default_rng(0).random(WHOLE.size), 80)
    found = find("regularized-evolution", task, population=10, sample=500)
    outlived = 0
    for step in range(10, 80):
        parent = best_of(task.trials[step - 10 : step])
        assert task.trials[step][0] in neighbours(parent)
        outlived += best_of(task.trials[:step]) != parent
    assert outlived
    assert found == best_of(task.trials)


def test_on_a_table_every_string_is_a_network_of_its_own():
    """Random search draws among all of them, and evolution's children are all 24 that differ on one edge."""
    task = a_task(additive(), budget=3_000)
    find("random-search", task)
    drawn = [trial[0] for trial in task.trials]
    assert len(set(drawn)) == len(drawn) == 3_000
    assert len({task.space.canonical(architecture) for architecture in drawn}) < 2_700
    task = a_task(additive(), budget=4_000)
    find("regularized-evolution", task, population=1, sample=1)
    order = [trial[0] for trial in task.trials]
    steps = {sum(a != b for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(order)}
    assert steps == {1}
    assert any(task.space.canonical(a) == task.space.canonical(b) for a, b in itertools.pairwise(order))


def test_reinforce_concentrates_on_what_pays():
    target = (3, 1, 3, 3, 1, 3)
    task = a_task((SMALL.array == target).mean(1), 1500, SMALL)
    assert find("reinforce", task) == target
    drawn = [architecture for architecture, *_ in task.trials]
    assert drawn[:100].count(target) < 20
    assert drawn[-100:].count(target) > 80


def test_brackets_are_those_of_hyperband():
    """Table 1 of its paper, R = 81 and η = 3; and what NAS-Bench-201's 12 epochs make of it."""
    published = [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(27, 3), (9, 9), (3, 27), (1, 81)],
        [(9, 9), (3, 27), (1, 81)],
        [(6, 27), (2, 81)],
        [(5, 81)],
    ]
    assert brackets(range(1, 82), 3) == published
    assert brackets(range(1, 13), 3) == [[(9, 1), (3, 4), (1, 12)], [(3, 4), (1, 12)], [(3, 12)]]
    assert brackets(range(1, 21), 3) == [[(9, 2), (3, 6), (1, 20)], [(3, 6), (1, 20)], [(3, 20)]]
    assert brackets((12,), 3) == [[(1, 12)]]


def test_bohb_promotes_the_best_of_a_rung_and_pays_each_training_from_scratch():
    curves = np.random.default_rng(0).random((WHOLE.size, 12))
    task = a_task(curves, 70 / 12, epochs=tuple(range(1, 13)))  # whose first round takes 9 + 12 + 12 + 12 + 12 + 36
    found = find("bohb", task)
    rungs = [(9, 1), (3, 4), (1, 12), (3, 4), (1, 12), (1, 12)]
    assert [epochs for _, epochs, *_ in task.trials] == [epochs for count, epochs in rungs for _ in range(count)]
    assert task.budget.left == pytest.approx(1 / 12)
    for rung, promoted in ((slice(0, 9), slice(9, 12)), (slice(9, 12), slice(12, 13)), (slice(13, 16), slice(16, 17))):
        ranked = sorted(task.trials[rung], key=lambda trial: -trial[2])
        chosen = [trial[0] for trial in task.trials[promoted]]
        assert chosen == [trial[0] for trial in ranked[: len(chosen)]]
    whole = [trial for trial in task.trials if trial[1] == 12]
    assert found == best_of(whole) != best_of(task.trials)
    with pytest.raises(BudgetExhausted):
        find("bohb", a_task(curves, 30 / 12, epochs=tuple(range(1, 13))))  # which pays two rungs


def test_kernel_densities_follow_their_formula():
    rng = np.random.default_rng(0)
    density = Density.fit(WHOLE.array[rng.integers(WHOLE.size, size=9)] % 3, 0.3)
    assert density.bandwidths == pytest.approx(
        [min(max(1.06 * np.std(density.points[:, edge]) * 9**-0.1, 0.3), 0.8) for edge in range(6)]
    )
    assert density(WHOLE.array).sum() == pytest.approx(1)
    for architecture in WHOLE.array[:3]:
        terms = [
            np.prod(
                [1 - h if a == p else h / 4 for a, p, h in zip(architecture, point, density.bandwidths, strict=True)]
            )
            for point in density.points
        ]
        assert density(architecture[None]) == pytest.approx(np.mean(terms))
    drawn = density.draw(40_000, rng)
    one_hots = np.eye(5)[WHOLE.array].reshape(WHOLE.size, -1)
    expected = density(WHOLE.array) @ one_hots
    assert np.eye(5)[drawn].reshape(len(drawn), -1).mean(0) == pytest.approx(expected, abs=0.015)
    pair = lambda x: (x[:, 0] == density.points[0, 0]) & (x[:, 5] == density.points[0, 5])  # noqa: E731
    assert pair(drawn).mean() == pytest.approx(density(WHOLE.array[pair(WHOLE.array)]).sum(), abs=0.015)


def test_a_proposal_outside_of_the_space_becomes_one_of_the_nearest():
    rng = np.random.default_rng(0)
    outside = np.array((0, 1, 3, 2, 1, 1), np.int8)
    nearest_ones = {(a, 1, 3, b, 1, 1) for a in (1, 3) for b in (1, 3)}
    assert {nearest(SMALL, outside, rng) for _ in range(100)} == nearest_ones
    assert nearest(WHOLE, outside, rng) == tuple(outside)


def test_bohb_learns_what_random_search_does_not():
    """What it proposes gets better; what random search draws does not."""
    scores = additive()
    gains = {name: [] for name in ("bohb", "random-search")}
    for name, seed in itertools.product(gains, range(4)):
        task = a_task(scores, 200)
        find(name, task, seed)
        gains[name].append((np.mean([trial[2] for trial in task.trials[100:]]) - scores.mean()) / scores.std())
    assert np.abs(gains["random-search"]).max() < 0.3  # three standard errors of 100 draws
    assert np.mean(gains["bohb"]) > 0.5


def test_bohb_believes_the_longest_trainings():
    """Shorter ones say nothing here."""
    convolutions = (WHOLE.array == 3).mean(1)
    noise = np.random.default_rng(0).random((WHOLE.size, 11))
    task = a_task(np.column_stack([noise, convolutions]), 200, epochs=tuple(range(1, 13)))
    find("bohb", task)
    proposed = [convolutions[WHOLE.rows[architecture]] for architecture, epochs, *_ in task.trials if epochs == 1]
    assert np.mean(proposed[-100:]) > convolutions.mean() + 0.15


def test_seminas_starts_at_random_and_then_proposes_better_networks_that_are_new():
    convolutions = (WHOLE.array == 3).mean(1)
    task = a_task(convolutions, 60)
    small = {"hidden": 16, "batch_size": 20, "learning_rate": 5e-3, "pseudo_labelled": 200, "iterations": 2}
    found = find("seminas", task, **small, pretraining_epochs=30, epochs=2)
    drawn = [architecture for architecture, *_ in task.trials]
    random = list(itertools.islice(in_random_order(WHOLE, task.network, np.random.default_rng(0)), 60))
    classes = [WHOLE.canonical(architecture) for architecture in random]
    assert drawn[:33] == [a for place, a in enumerate(random) if classes[place] not in classes[:place]][:33]
    assert len(drawn) == len(set(map(WHOLE.canonical, drawn))) == 60
    accuracies = np.array([trial[2] for trial in task.trials])
    assert accuracies[33:].mean() > accuracies[:33].mean() + 0.2
    assert found == best_of(task.trials)


def test_seminas_ends_when_nothing_is_left_to_evaluate():
    task = a_task(additive(SMALL), 1000, SMALL)
    find("seminas", task, pretraining_epochs=1, epochs=1, hidden=4)
    assert {WHOLE.canonical(architecture) for architecture, *_ in task.trials} == set(SMALL.classes)


@pytest.mark.parametrize("draws", [2, 3])
def test_the_gradient_of_snas_reinforce_is_unbiased(draws):
    """Its mean over all that can be drawn is the gradient of the expected reward."""
    rng = np.random.default_rng(0)
    one_hots = np.eye(3)[list(itertools.product(range(3), repeat=2))].reshape(9, -1)[:7]  # a restricted space
    alpha, rewards = rng.normal(size=6), rng.random(7)

    def probabilities(alpha):
        weights = np.exp(one_hots @ alpha)
        return weights / weights.sum()

    step = 1e-6 * np.eye(6)
    exact = [(probabilities(alpha + s) - probabilities(alpha - s)) @ rewards / 2e-6 for s in step]
    q = probabilities(alpha)
    mean = sum(
        q[list(rows)].prod() * leave_one_out_gradient(rewards[list(rows)], one_hots[list(rows)])
        for rows in itertools.product(range(7), repeat=draws)
    )
    assert mean == pytest.approx(np.array(exact), abs=1e-8)


def test_snas_reinforce_returns_its_child_and_has_kept_the_money():
    """The child is the last to be trained, and by then its edges are what pays, though others scored higher."""
    rng = np.random.default_rng(0)
    seconds = rng.uniform(0.1, 3, SMALL.size)
    target = (3, 1, 3, 3, 1, 3)
    scores = (SMALL.array == target).mean(1) - 2.0 * (SMALL.array == target).all(1)  # the target itself fails
    task = a_task(scores, 400, SMALL, seconds=seconds)
    child = find("snas-reinforce", task)
    assert child == task.trials[-1][0]
    for budget in np.linspace(20, 23, 10):
        task = a_task(additive(SMALL), budget, SMALL, seconds=seconds)
        assert find("snas-reinforce", task) == task.trials[-1][0]
        assert len(task.trials) % 5 == 1


def test_snas_reinforce_spends_less_where_resources_count():
    """All networks are alike but for their cost, which is the number of 3x3 convolutions."""
    convolutions = (WHOLE.array == 3).sum(1)
    task = a_task(np.full(WHOLE.size, 0.5), 300, seconds=1.0 + convolutions)
    assert convolutions[WHOLE.rows[find("snas-reinforce", task, resource_weight=0.1)]] == 0
    planted = a_task(0.1 * convolutions, 300, seconds=1.0 + convolutions)
    assert convolutions[WHOLE.rows[find("snas-reinforce", planted)]] > 3


def test_fednas_drops_the_worst_half_and_pays_what_is_trained_further():
    curves = np.random.default_rng(0).random((WHOLE.size, 12))
    a_group = 8 * 1 + 4 * 2 + 2 * 3 + 1 * 6  # epochs further, by stage
    task = a_task(curves, 3 * a_group / 12, epochs=tuple(range(1, 13)))
    found = find("fednas", task)
    assert task.budget.left == pytest.approx(0)
    groups = [task.trials[first : first + 15] for first in (0, 15, 30)]
    assert len(task.trials) == 45
    seen = [{trial[0] for trial in group} for group in groups]
    assert [len(group) for group in seen] == [8, 8, 8]
    assert len(set.union(*seen)) == 24  # no candidate comes back
    for group in groups:
        assert [trial[1] for trial in group] == [1] * 8 + [3] * 4 + [6] * 2 + [12]
        for stage, survivors in ((group[:8], group[8:12]), (group[8:12], group[12:14]), (group[12:14], group[14:])):
            best = sorted(stage, key=lambda trial: -trial[2])[: len(survivors)]
            assert [trial[0] for trial in survivors] == [trial[0] for trial in best]
    assert found == best_of([group[-1] for group in groups])


def test_fednas_with_one_length_is_a_single_stage():
    task = a_task(additive(), 20)
    assert find("fednas", task) == best_of(task.trials)
    assert len(task.trials) == 20


def test_fednas_keeps_the_last_survivors_by_what_their_clients_see(bank):
    """With all examples for everyone, and all networks trained, the best by validation accuracy."""

    def search(seed, **constants):
        task = BankTask.of(bank, 4, 1000)
        return task, create("fednas", constants).search(task, np.random.default_rng(seed)).members

    task, members = search(0, validation_share=1.0)
    ranked = sorted((accuracy(task.train(a, 0).val, task.val_labels) for a in task.space.classes), reverse=True)
    assert [accuracy(member.val, task.val_labels) for member in members] == ranked[:4]
    assert len({frozenset(m.architecture for m in search(seed, validation_share=0.1)[1]) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("bohb", {"eta": 1}, "eta >= 2"),
        ("bohb", {"least_bandwidth": 0.9}, "least_bandwidth in"),
        ("seminas", {"hidden": 0}, "hidden"),
        ("seminas", {"initial_share": 1.5}, r"in \[0, 1\]"),
        ("seminas", {"learning_rate": 0.0}, "learning_rate > 0"),
        ("snas-reinforce", {"samples_per_step": 1}, "samples_per_step >= 2"),
        ("fednas", {"validation_share": 0.0}, "validation_share in"),
    ],
)
def test_bad_constants_are_refused(name, constants, message):
    with pytest.raises(NessBenchError, match=message):
        create(name, constants)
