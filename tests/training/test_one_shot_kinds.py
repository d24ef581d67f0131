"""Each way to train a supernet against what its paper says."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from ness_bench.data import fashion_mnist
from ness_bench.data.images import LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks import darts_skeleton
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.skeleton import Skeleton, fixed_flops, flops, mean_flops
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces import darts
from ness_bench.training.one_shot import darts_second_order, gdas, kinds, snas
from ness_bench.training.one_shot.darts_second_order import (
    SecondOrderDartsRecipe,
    SecondOrderDartsTraining,
    unrolled_alpha_gradient,
)
from ness_bench.training.one_shot.descent import halves
from ness_bench.training.one_shot.relaxation import annealed, concrete

SKELETON = Skeleton(channels=4, cells=1)
DARTS_SKELETON = DartsSkeleton(channels=2, layers=3, input_channels=1, image_size=8)


@pytest.fixture(scope="module")
def data():
    shipped = fashion_mnist.load()
    return replace(shipped, train=shipped.train.first(64), val=shipped.val.first(10))


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def weights_of(trained):
    return {name: value.numpy().tobytes() for name, value in trained.model.state_dict().items()}


@pytest.mark.parametrize("skeleton", [SKELETON, DARTS_SKELETON])
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind_trains_every_space(data, kind, skeleton):
    few = replace(data, train=data.train.first(32))
    training = kinds.KINDS[kind].training(few, skeleton, kinds.recipe_of(kind, 1, batch_size=16), 0, None)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    losses = list(training.steps(1))
    training.finish()
    after = training.model.state_dict()
    assert len(losses) == (2 if kind in ("uniform", "snas") else 1)
    assert losses[0] == pytest.approx(np.log(10), abs=1)
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(value, before[name]) for name, value in after.items())
    assert training.model.alpha_shape == ((6, 5) if skeleton == SKELETON else (28, 8))
    if kind in ("uniform", "rsps"):
        assert training.alphas is None
    else:
        assert training.alphas.shape == (2, *training.model.alpha_shape)
        assert 0 < np.abs(np.diff(training.alphas, axis=0)).max() < 1e-2


def test_published_constants():
    """Of the NAS-Bench-201 authors' search code, and SNAS's."""
    made = {kind: kinds.recipe_of(kind) for kind in kinds.KINDS}
    assert {kind: recipe.epochs for kind, recipe in made.items()} == {
        "uniform": 80, "rsps": 250, "darts": 50, "darts-v2": 50, "gdas": 250, "snas": 150,
    }  # fmt: skip
    for kind in set(made) - {"uniform"}:
        recipe = made[kind]
        assert (recipe.batch_size, recipe.learning_rate, recipe.final_learning_rate) == (64, 0.025, 0.001)
        assert (recipe.momentum, recipe.gradient_clip) == (0.9, 5)
        assert (recipe.weight_decay, recipe.nesterov) == ((3e-4, False) if kind == "snas" else (5e-4, True))
    for kind in ("darts", "darts-v2", "gdas", "snas"):
        recipe = made[kind]
        assert (recipe.alpha_learning_rate, recipe.alpha_betas, recipe.alpha_weight_decay) == (3e-4, (0.5, 0.999), 1e-3)


CHANGED = {
    "learning_rate": 0.05, "final_learning_rate": 0.01, "momentum": 0.5, "weight_decay": 0.1, "gradient_clip": 1e-3,
    "alpha_scale": 0.1, "alpha_mean": 0.5, "alpha_learning_rate": 0.01, "alpha_betas": (0.9, 0.999),
    "alpha_weight_decay": 0.1, "alpha_gradient_clip": 1e-6, "finite_difference": 0.1, "temperature": 2.0,
    "final_temperature": 0.5, "resource_weight": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_constant_has_an_effect(data, kind):
    few, recipe = replace(data, train=data.train.first(32)), kinds.recipe_of(kind, 2, batch_size=16)
    changes = [{"nesterov": not recipe.nesterov}]
    changes += [{name: CHANGED[name]} for name in set(asdict(recipe)) - {"epochs", "batch_size", "nesterov"}]
    results = set()
    for change in [{}, *changes]:
        trained = kinds.train(kind, few, SKELETON, replace(recipe, **change), 1)
        alphas = b"" if trained.alphas is None else trained.alphas.tobytes()
        results.add((alphas, *weights_of(trained).values()))
    assert len(results) == 1 + len(changes)


def test_the_second_order_step_is_told_momentum_and_rate(data, monkeypatch):
    """After a first step of w ← w − ξ (1 + μ) m, which Nesterov's method takes."""
    told = []

    def watched(supernet, alphas, weight_batch, alpha_batch, momenta, rate, recipe):
        told.append(([w.detach().clone() for w in supernet.parameters()], [m.clone() for m in momenta], rate))
        return torch.zeros_like(alphas)

    monkeypatch.setattr(darts_second_order, "unrolled_alpha_gradient", watched)
    training = SecondOrderDartsTraining(data, SKELETON, kinds.recipe_of("darts-v2", 1, batch_size=16), 0)
    list(training.steps(1))
    (start, at_first, rate), (moved, momenta, later) = told
    assert not any(momentum.any() for momentum in at_first)
    assert 0.001 < later < rate == 0.025
    for before, after, momentum in zip(start, moved, momenta, strict=True):
        torch.testing.assert_close(momentum, (before - after) / (rate * 1.9), rtol=1e-3, atol=1e-5)


def test_the_second_order_gradient_is_that_of_the_unrolled_loss(generator):
    supernet = Supernet(SKELETON, generator).double()
    names, weights = zip(*supernet.named_parameters(), strict=True)
    batches = [
        (torch.randn(8, 1, 8, 8, generator=generator).double(), torch.randint(10, (8,), generator=generator))
        for _ in range(2)
    ]
    momenta = [0.1 * torch.randn(w.shape, generator=generator).double() for w in weights]
    alphas = torch.randn(6, 5, generator=generator).double().requires_grad_()
    recipe, rate = SecondOrderDartsRecipe(momentum=0.8, weight_decay=0.05), 0.3

    def loss(values, batch):
        images, labels = batch
        logits = functional_call(supernet, dict(zip(names, values, strict=True)), (images, alphas.softmax(1)))
        return F.cross_entropy(logits, labels)

    gradients = torch.autograd.grad(loss(weights, batches[0]), weights, create_graph=True)
    unrolled = [w - rate * (0.8 * m + g + 0.05 * w) for w, g, m in zip(weights, gradients, momenta, strict=True)]
    (exact,) = torch.autograd.grad(loss(unrolled, batches[1]), alphas)
    (first_order,) = torch.autograd.grad(loss([w.detach() for w in unrolled], batches[1]), alphas)
    before = {name: value.clone() for name, value in supernet.state_dict().items()}

    def error(epsilon):
        changed = replace(recipe, finite_difference=epsilon)
        found = unrolled_alpha_gradient(supernet, alphas, *batches, momenta, rate, changed)
        return ((found - exact).norm() / (first_order - exact).norm()).item()

    assert error(1e-5) < 1e-3
    assert error(1e-4) < 0.05
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


@pytest.mark.parametrize("temperature", [10.0, 0.1])
def test_hard_draws_follow_softmax(generator, temperature):
    row, draws = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5]), 20_000
    path, multipliers = gdas.draw(row.expand(draws, 5), temperature, generator)
    shares = np.bincount(path, minlength=5) / draws
    probabilities = row.softmax(0).numpy()
    np.testing.assert_allclose(shares, probabilities, atol=4 * np.sqrt(0.25 / draws))
    assert (multipliers == 1).all()


def test_gdas_gradient_is_that_of_the_selected_operation(data, generator):
    """Of the multiplier of the operation that was computed: g p_s (δ_so − p_o) / τ on every edge."""
    supernet, temperature = Supernet(SKELETON, generator), 2.0
    images, labels = torch.randn(16, 1, 8, 8, generator=generator), torch.from_numpy(data.train.labels[:16])
    alphas = torch.randn(6, 5, generator=generator).requires_grad_()
    state = generator.get_state()
    path, multipliers = gdas.draw(alphas, temperature, generator)
    found = gdas.path_gradient(supernet, (path, multipliers), alphas, (images, labels))

    relaxed = concrete(alphas.detach(), temperature, generator.set_state(state))
    ones = torch.ones(6, requires_grad=True)
    (by_multiplier,) = torch.autograd.grad(F.cross_entropy(supernet.forward_path(images, path, ones), labels), ones)
    assert by_multiplier.count_nonzero() >= 3
    chosen = F.one_hot(torch.tensor(path), 5)
    selected = relaxed[range(6), path]
    expected = (by_multiplier * selected / temperature)[:, None] * (chosen - relaxed)
    torch.testing.assert_close(found, expected)


def test_gdas_computes_paths_that_it_draws_from_alpha(data, monkeypatch):
    """One a step for the weights and one for α, at a temperature that falls an epoch at a time."""
    drawn, computed, draw = [], [], gdas.draw
    training = gdas.GdasTraining(data, SKELETON, kinds.recipe_of("gdas", 2, batch_size=16, alpha_learning_rate=0.1), 0)

    def watched_draw(alphas, temperature, generator):
        assert torch.equal(alphas, training.alpha.value)
        path, multipliers = draw(alphas, temperature, generator)
        drawn.append((path, temperature))
        return path, multipliers

    def watched_path(images, path, multipliers=None, forward_path=training.model.forward_path):
        computed.append((path, multipliers is None))
        return forward_path(images, path, multipliers)

    monkeypatch.setattr(gdas, "draw", watched_draw)
    training.model.forward_path = watched_path
    for epoch in (1, 2):
        list(training.steps(epoch))
    assert [temperature for _, temperature in drawn] == pytest.approx([10.0] * 4 + [0.1] * 4)
    assert computed == [(path, place % 2 == 0) for place, (path, _) in enumerate(drawn)]


def test_a_path_that_never_reaches_the_output_has_no_gradient(data, generator):
    supernet, alphas = Supernet(SKELETON, generator), torch.zeros(6, 5, requires_grad=True)
    batch = torch.randn(4, 1, 8, 8, generator=generator), torch.from_numpy(data.train.labels[:4])
    assert (gdas.path_gradient(supernet, ((1, 2, 3, 0, 0, 0), alphas.sum(1)), alphas, batch) == 0).all()


def test_temperatures_fall_linearly_to_the_last_epoch():
    np.testing.assert_allclose([annealed(10, 0.1, epoch, 4) for epoch in (1, 2, 3, 4)], [10, 6.7, 3.4, 0.1])
    assert annealed(1, 0.03, 1, 1) == 1


def test_relaxed_choices_become_one_hot(generator):
    alphas = torch.randn(1_000, 5, generator=generator)
    soft, hard = concrete(alphas, 1.0, generator), concrete(alphas, 1e-4, generator)
    for choice in (soft, hard):
        torch.testing.assert_close(choice.sum(1), torch.ones(1_000))
    assert (hard.amax(1) > 0.999).float().mean() > 0.99
    assert (soft.amax(1) > 0.999).float().mean() < 0.1


def test_the_resource_term_is_the_expected_cost(generator):
    """As λ falls: E[cost(Z)] → Σ p c, and its gradient → p_o (c_o − Σ p c)."""
    row = torch.tensor([0.3, -0.5, 1.0, 0.0, 0.2], requires_grad=True)
    costs, draws = torch.tensor([0.0, 0.0, 0.4, 1.0, 0.2]), 400_000
    mean = snas.resources(concrete(row.expand(draws, 5), 0.05, generator), costs) / draws
    (found,) = torch.autograd.grad(mean, row)
    p = row.detach().softmax(0)
    expected = (p * costs).sum()
    assert mean.item() == pytest.approx(expected.item(), abs=5e-3)
    torch.testing.assert_close(found, p * (costs - expected), rtol=0, atol=0.01)


def test_costs_are_shares_of_the_average_network():
    """Of networks drawn uniformly, edges cost what the whole does but for the fixed part."""
    table = snas.cost_table(SKELETON)
    architecture = (3, 2, 1, 4, 2, 3)
    of_edges = sum(table[edge, operation].item() for edge, operation in enumerate(architecture))
    assert of_edges == pytest.approx((flops(architecture, SKELETON) - fixed_flops(SKELETON)) / mean_flops(SKELETON))
    table, rng = snas.cost_table(DARTS_SKELETON), np.random.default_rng(0)
    drawn = [darts.random_architecture(rng) for _ in range(2_000)]
    shares = [sum(table[edge, o].item() for edge, o in enumerate(a)) for a in drawn]
    fixed = darts_skeleton.fixed_flops(DARTS_SKELETON) / darts_skeleton.mean_flops(DARTS_SKELETON)
    error = np.std(shares) / np.sqrt(len(shares))
    assert abs(np.mean(shares) + fixed - 1) < 4 * error
    assert error < 0.01


def test_snas_trains_weights_and_alphas_in_one_pass(data):
    """Each training image is seen once an epoch, under one choice a batch, by the weights and α at once."""
    recipe = kinds.recipe_of("snas", 1, batch_size=16, resource_weight=0.5)
    training = snas.SnasTraining(data, SKELETON, recipe, 0)
    seen, choices, forward = [], [], training.model.forward

    def watched(images, weights):
        seen.append(images)
        choices.append(weights)
        return forward(images, weights)

    training.model.forward = watched
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    losses = list(training.steps(1))
    assert len(seen) == len(losses) == 4
    order = lambda images: sorted(image.numpy().tobytes() for image in images)  # noqa: E731
    assert order(torch.cat(seen)) == order(training.images)
    assert len({choice.detach().numpy().tobytes() for choice in choices}) == 4
    assert all(not torch.equal(value, before[name]) for name, value in training.model.state_dict().items())
    assert (np.diff(training.alphas, axis=0) != 0).all()

    choice, batch = choices[0].detach(), torch.arange(16)
    training.recipe = replace(recipe, resource_weight=0.0)
    plain = training.loss(choice, batch)
    training.recipe = recipe
    torch.testing.assert_close(training.loss(choice, batch) - plain, 0.5 * (choice * training.costs).sum())


def test_rsps_sees_one_half(data):
    used, left = halves(len(data.train), torch.Generator().manual_seed(0))

    def trained(where):
        labels = data.train.labels.copy()
        labels[where] = 0
        changed = replace(data, train=LabelledImages(data.train.pixels, labels))
        return weights_of(kinds.train("rsps", changed, SKELETON, kinds.recipe_of("rsps", 2, batch_size=16), 0))

    plain = trained([])
    assert trained(left.numpy()) == plain
    assert trained(used.numpy()) != plain


def test_unknown_kinds_and_constants_are_refused(data):
    with pytest.raises(NessBenchError, match=r'unknown kind of supernet "gads".*did you mean "gdas"\?'):
        kinds.recipe_of("gads")
    with pytest.raises(NessBenchError, match=r'no constant "temprature".*did you mean "temperature"\?'):
        kinds.recipe_of("snas", temprature=2)
    with pytest.raises(NessBenchError, match="0 epochs were given"):
        kinds.recipe_of("darts", 0)
    with pytest.raises(NessBenchError, match=r"a darts supernet was given a GdasRecipe; it takes a DartsRecipe"):
        kinds.train("darts", data, SKELETON, kinds.recipe_of("gdas"), 0)


def test_engines_that_cannot_do_a_kind_are_refused(data):
    with pytest.raises(NessBenchError, match='"cpu"; choose "torch"'):
        kinds.train("gdas", data, SKELETON, kinds.recipe_of("gdas", 1, batch_size=16), 0, engine="cpu")
    single = kinds.recipe_of("rsps", 1, batch_size=16)
    with pytest.raises(NessBenchError, match="cells of NAS-Bench-201 only"):
        kinds.train("rsps", data, DARTS_SKELETON, single, 0, engine="cpu")
    with pytest.raises(NessBenchError, match="Nesterov"):
        kinds.train("rsps", data, SKELETON, replace(single, nesterov=False), 0, engine="cpu")
    with pytest.raises(NessBenchError, match="6 channels"):
        kinds.train("rsps", data, replace(SKELETON, channels=6), single, 0, engine="cpu")
    with pytest.raises(NessBenchError, match='unknown training engine "gpu"'):
        kinds.train("rsps", data, SKELETON, single, 0, engine="gpu")
