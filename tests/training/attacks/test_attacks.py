"""Each attack against foolbox, against what can be said in closed form, and against its own promises."""

import foolbox
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.apgd import APGD, checkpoints
from ness_bench.training.attacks.ball import distance, random_start
from ness_bench.training.attacks.fgsm import FGSM
from ness_bench.training.attacks.pgd import PGD
from ness_bench.training.attacks.restarts import Attempt, worst_of
from ness_bench.training.attacks.square import Square
from ness_bench.training.attacks.transfer import Transfer
from ness_bench.training.attacks.victim import Victim, to_pixels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def in_foolbox(victim):
    """The victim as foolbox takes it: one network on pixels."""

    class Whole(nn.Module):
        def forward(self, images):
            return victim.logits(images)

    return foolbox.PyTorchModel(Whole().eval(), bounds=(0, 1), device="cpu")


ORACLES = [
    (FGSM(), foolbox.attacks.LinfFastGradientAttack()),
    (
        PGD(steps=7, step_size=0.3, random_start=False),
        foolbox.attacks.LinfPGD(rel_stepsize=0.3, steps=7, random_start=False),
    ),
    (
        PGD("l2", steps=7, step_size=0.3, random_start=False),
        foolbox.attacks.L2PGD(rel_stepsize=0.3, steps=7, random_start=False),
    ),
]


@pytest.mark.parametrize(("attack", "oracle"), ORACLES, ids=["fgsm", "pgd-linf", "pgd-l2"])
@pytest.mark.parametrize("epsilon", [4 / 255, 0.3])
def test_same_images_as_foolbox(victim, test_images, attack, oracle, epsilon):
    images, labels = test_images
    ours = attack.perturb(victim, images, labels, epsilon, generator()).images
    theirs, _, _ = oracle(in_foolbox(victim), images, labels, epsilons=epsilon)
    # A gradient within rounding of 0 may have either sign; there is none on these images.
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert (ours - images).abs().max() > epsilon / 4


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 12 / 255), ("l2", 0.3)])
def test_pgd_with_random_starts_is_as_strong_as_foolbox(victim, test_images, norm, epsilon):
    images, labels = test_images
    of = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
    theirs, _, _ = of(rel_stepsize=0.25, steps=20)(in_foolbox(victim), images, labels, epsilons=epsilon)
    ours = PGD(norm).perturb(victim, images, labels, epsilon, generator()).images
    left = [(victim.predict(found) == labels).sum() for found in (ours, theirs)]
    assert 5 < left[1] < 95
    assert left[0] <= left[1] + 3  # starts differ


def linear_victim(weights, bias):
    """Two classes whose logits differ by w·x + b; class 1 where that is positive."""
    layer = nn.Linear(weights.numel(), 2, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.zeros_like(weights.flatten()), weights.flatten()]))
        layer.bias.copy_(torch.tensor([0.0, bias], dtype=torch.float64))
    return Victim((nn.Sequential(nn.Flatten(), layer).eval(),), (0.0,), (1.0,))


LINEAR = [
    (FGSM(), 1e-9),
    (PGD(), 1e-9),
    (PGD("l2", steps=60), 1e-5),
    (APGD(), 1e-9),
    (APGD("l2"), 1e-5),
    (Square(queries=2_000), 1e-6),
]


@pytest.mark.parametrize(("attack", "precision"), LINEAR, ids=lambda value: getattr(value, "norm", ""))
def test_a_linear_classifier_flips_where_it_must(attack, precision):
    """At margin / ‖w‖₁ for L∞, at margin / ‖w‖₂ for L2 (both by Hölder's inequality), and not before."""
    rng = np.random.default_rng(1)
    weights = torch.from_numpy(rng.normal(size=(1, 4, 4)))
    images = torch.from_numpy(rng.uniform(0.4, 0.6, (6, 1, 4, 4)))
    bias = -0.5 * weights.sum().item()
    victim = linear_victim(weights, bias)
    scores = (images * weights).sum((1, 2, 3)) + bias
    labels = (scores > 0).long()
    assert len(set(labels.tolist())) == 2
    dual = weights.abs().sum() if attack.norm == "linf" else weights.square().sum().sqrt()
    for row, critical in enumerate((scores.abs() / dual).tolist()):
        assert critical < 0.4  # so that no pixel is cut
        for epsilon, flips in ((critical * (1 - precision), False), (critical * (1 + precision), True)):
            one = slice(row, row + 1)
            found = attack.perturb(victim, images[one], labels[one], epsilon, generator()).images
            assert bool(victim.predict(found) != labels[one]) == flips


ATTACKS = st.one_of(
    st.just(FGSM()),
    st.builds(
        PGD,
        st.sampled_from(["linf", "l2"]),
        steps=st.integers(1, 4),
        step_size=st.floats(0.01, 2),
        restarts=st.integers(1, 2),
    ),
    st.builds(APGD, st.sampled_from(["linf", "l2"]), steps=st.integers(1, 12), restarts=st.integers(1, 2)),
    st.builds(Square, queries=st.integers(1, 30), area=st.floats(0.01, 1), restarts=st.integers(1, 2)),
)


@settings(max_examples=60)
@given(attack=ATTACKS, share=st.floats(0, 1), seed=st.integers(0, 1_000))
def test_images_stay_in_the_ball_and_a_generator_decides_them(attack, share, seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(36, 4)).eval()
    victim = Victim((network,), (0.3, 0.6), (0.2, 0.4))
    images, labels = torch.rand(5, 2, 5, 6).round(decimals=1), torch.randint(4, (5,))  # some pixels at 0 and 1
    before = images.clone()
    epsilon = share * (1 if attack.norm == "linf" else 2)
    found, again = (attack.perturb(victim, images, labels, epsilon, generator(seed)) for _ in range(2))
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert distance(found.images - images, attack.norm).max() <= epsilon + 1e-6
    assert torch.equal(found.images, again.images)
    assert torch.equal(found.queries, again.queries)
    assert (found.queries >= 1).all()
    assert torch.equal(images, before)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_random_starts_fill_the_ball():
    """Half of all volume of an L2 ball in d dimensions lies within 2^(-1/d) of its radius; signs are fair in L∞."""
    images = torch.full((4_000, 1, 2, 2), 0.5, dtype=torch.float64)
    lengths = distance(random_start(images, 0.3, "l2", generator()) - images, "l2") / 0.3
    assert (lengths < 0.5**0.25).double().mean() == pytest.approx(0.5, abs=0.03)
    moves = (random_start(images, 0.3, "linf", generator()) - images) / 0.3
    assert moves.mean() == pytest.approx(0, abs=0.02)
    assert moves.square().mean() == pytest.approx(1 / 3, abs=0.02)


def test_apgd_checkpoints_are_the_published_ones():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 12 / 255), ("l2", 0.3)])
def test_apgd_raises_the_loss_at_least_as_far_as_pgd(victim, test_images, norm, epsilon):
    """On the images that neither fools, where they both look for the highest loss; and it fools as many."""
    images, labels = test_images
    found = {
        attack: attack.perturb(victim, images, labels, epsilon, generator()).images
        for attack in (PGD(norm, steps=50, step_size=0.1), APGD(norm, steps=50))
    }
    losses, right = zip(
        *((-victim.logits(x).gather(1, labels[:, None])[:, 0], victim.predict(x) == labels) for x in found.values()),
        strict=True,
    )
    assert right[1].sum() <= right[0].sum() + 2
    both = right[0] & right[1]
    assert both.sum() > 10
    assert losses[1][both].mean() > losses[0][both].mean() - 0.01


def algorithm_1(victim, image, label, start, epsilon, steps, rho):
    """Croce & Hein's Algorithm 1 for L∞, a line a line, on one image; (its best point, whether one fooled)."""

    def loss(x):
        x = x.detach().requires_grad_()
        probabilities = sum(
            weight * torch.softmax(member((x - victim.mean[0]) / victim.std[0]), 1)
            for weight, member in zip(victim.weights, victim.members, strict=True)
        )
        value = -probabilities[0, label].log()
        return value.item(), torch.autograd.grad(value, x)[0], probabilities.argmax() != label

    def ball(x):
        return torch.minimum(torch.maximum(x, image - epsilon), image + epsilon).clamp(0, 1)

    p = [0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    w = [int(np.ceil(share * steps - 1e-9)) for share in p]
    eta, xs, fs = 2 * epsilon, [start], [loss(start)[0]]
    x_max, f_max = start, fs[0]
    fooled = loss(start)[2]
    eta_at, f_max_at, rises = {0: None}, {0: f_max}, []
    for k in range(steps):
        _, gradient, _ = loss(xs[k])
        z = ball(xs[k] + eta * gradient.sign())
        new = z if k == 0 else ball(xs[k] + 0.75 * (z - xs[k]) + 0.25 * (xs[k] - xs[k - 1]))
        value, _, wrong = loss(new)
        fooled = fooled or wrong
        rises.append(value > fs[k])
        if value > f_max:
            x_max, f_max = new, value
        xs.append(new)
        fs.append(value)
        if k + 1 in w:
            j = w.index(k + 1)
            before = w[j - 1]
            eta_now = eta
            first = sum(rises[before : k + 1]) < rho * (k + 1 - before)
            second = eta_at[before] == eta_now and f_max_at[before] == f_max
            eta_at[k + 1], f_max_at[k + 1] = eta_now, f_max
            if first or second:
                eta = eta / 2
                xs[-1], fs[-1] = x_max, f_max
    return x_max, bool(fooled)


@pytest.mark.parametrize(("rho", "steps"), [(0.75, 60), (0.3, 35)])  # with .3 its second condition decides
def test_apgd_is_algorithm_1(victim, test_images, rho, steps):
    """On images that are not fooled: the same best point. At a summit rounding decides."""
    images, labels = (part[:25] for part in test_images)
    images = images.double()
    for member in victim.members:
        member.double()
    try:
        found = APGD(steps=steps, rises=rho).perturb(victim, images, labels, 0.03, generator()).images
        starts = random_start(images, 0.03, "linf", generator())
        compared, agree = 0, 0
        for row, label in enumerate(labels.tolist()):
            one = slice(row, row + 1)
            best, fooled = algorithm_1(victim, images[one], label, starts[one], 0.03, steps, rho)
            if not fooled:
                compared += 1
                agree += torch.allclose(found[one], best, atol=1e-9, rtol=0)
        assert compared > 8
        assert agree >= compared - 1
    finally:
        for member in victim.members:
            member.float()


def test_apgd_keeps_what_fooled_though_its_loss_is_lower():
    """Where ten classes are nearly level the loss is high and the label still ahead; where one overtakes it is low."""

    class Level(nn.Module):
        def forward(self, x):
            x = x.flatten(1)
            level = torch.cat([0 * x, (-0.1 - (x - 0.5) ** 2).expand(-1, 9)], 1)
            overtaken = torch.cat([0 * x, 0 * x + 0.1, (0 * x - 9).expand(-1, 8)], 1)
            return torch.where(x.abs() > 0.6, overtaken, level) + torch.cat([-x, x.expand(-1, 9)], 1) / 100

    victim = Victim((Level().eval(),), (0.0,), (1.0,))
    image, label = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64), torch.zeros(1, dtype=torch.long)
    found = APGD(steps=3).perturb(victim, image, label, 0.2, generator(3)).images
    assert victim.judge(found, label).odds < victim.judge(image, label).odds
    assert victim.predict(found) != label


def test_the_worst_of_restarts_is_the_first_that_fools_else_the_highest_loss():
    images, labels = torch.arange(3.0).view(3, 1, 1, 1), torch.zeros(3, dtype=torch.long)
    script = iter(
        [
            ([0, 1, 2], [10.0, 11.0, 12.0], [5.0, 1.0, 5.0], [False, True, False]),
            ([0, 2], [20.0, 22.0], [4.0, 6.0], [False, False]),
            ([0, 2], [30.0, 32.0], [3.0, 2.0], [False, True]),
            ([0], [40.0], [4.5], [False]),
        ]
    )

    def attempt(given, _):
        rows, found, losses, fooled = next(script)
        assert given.flatten().tolist() == rows
        at = torch.tensor(found).view(-1, 1, 1, 1)
        return Attempt(at, torch.tensor(losses), torch.tensor(fooled), torch.full((len(rows),), 7))

    perturbed = worst_of(4, images, labels, attempt)
    assert perturbed.images.flatten().tolist() == [10.0, 11.0, 32.0]
    assert perturbed.queries.tolist() == [28, 7, 21]


def test_apgd_halves_its_step_where_the_loss_stops_rising():
    """On a loss of one dimension with its summit inside the ball, steps of 2ε overshoot; only smaller ones reach it."""

    class Summit(nn.Module):
        def forward(self, x):
            height = -50 * (x.flatten(1).sum(1) - 0.53) ** 2  # of the wrong class, never above the right one
            return torch.stack([torch.zeros_like(height), height - 1], 1)

    victim = Victim((Summit().eval(),), (0.0,), (1.0,))
    image, label = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64), torch.zeros(1, dtype=torch.long)
    found = APGD(steps=100).perturb(victim, image, label, 0.2, generator()).images
    assert found.item() == pytest.approx(0.53, abs=2e-3)


def test_more_restarts_only_fool_more(victim, test_images):
    images, labels = test_images
    for attack in (PGD, APGD):
        fooled = [
            victim.predict(attack(steps=4, restarts=restarts).perturb(victim, images, labels, 0.04, generator()).images)
            != labels
            for restarts in (1, 6)
        ]
        assert (fooled[1] >= fooled[0]).all()
        assert fooled[1].sum() > fooled[0].sum()


def test_square_counts_its_queries(victim, test_images):
    """Every evaluation of an image, and none after it is fooled; the number given is the most there are."""
    images, labels = (part[:20] for part in test_images)

    class Counting(nn.Module):
        def forward(self, x):
            nonlocal total
            total += len(x)
            return victim.logits(x)

    total = 0
    counted = Victim((Counting().eval(),), (0.0,), (1.0,))
    perturbed = Square(queries=40).perturb(counted, images, labels, 0.1, generator())
    asked = perturbed.queries
    fooled = victim.predict(perturbed.images) != labels
    assert total == asked.sum() + 1  # the one that the classes are counted by
    assert (asked[~fooled] == 40).all()
    assert (asked[fooled] <= 40).all()
    assert asked[fooled].min() < 5
    assert 0 < fooled.sum() < 20


def test_square_needs_no_gradients(victim, test_images):
    class Rounded(nn.Module):
        def forward(self, x):
            return victim.logits(x).detach().round(decimals=1)

    images, labels = test_images
    rounded = Victim((Rounded().eval(),), (0.0,), (1.0,))
    found = Square(queries=100).perturb(rounded, images, labels, 0.1, generator()).images
    assert (rounded.predict(found) == labels).sum() < 30
    with pytest.raises(NessBenchError, match=r"cannot be differentiated.*square"):
        FGSM().perturb(rounded, images, labels, 0.1, generator())


def test_transfer_attacks_the_surrogate_and_never_asks_the_victim(victim, test_images):
    images, labels = test_images
    surrogate = victim.member(1)
    attack = Transfer(PGD(), surrogate)
    perturbed = attack.perturb(victim, images, labels, 0.05, generator())
    direct = PGD().perturb(surrogate, images, labels, 0.05, generator())
    assert torch.equal(perturbed.images, direct.images)
    assert not perturbed.queries.any()
    white_box = PGD().perturb(victim, images, labels, 0.05, generator()).images
    left = [(victim.predict(x) == labels).sum() for x in (images, perturbed.images, white_box)]
    assert left[0] > left[1] + 10  # it transfers
    assert left[1] > left[2]  # but not all of it


@pytest.mark.parametrize("members", [1, 3])
def test_a_network_that_is_sure_keeps_its_gradient(members):
    """Of e^-600, which float32 does not have; both rows of the weights have a part in the direction."""
    layer = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
    with torch.no_grad():
        layer[1].weight.copy_(torch.tensor([[1200.0, 1200.0, 0.0, 0.0], [0.0, 0.0, 600.0, -600.0]]))
    victim = Victim((layer,) * members, (0.0,), (1.0,))
    image, label = torch.full((1, 1, 2, 2), 0.25), torch.zeros(1, dtype=torch.long)
    assert victim.judge(image, label).odds.item() == pytest.approx(-600)
    found = PGD("l2", steps=1, step_size=1.0, random_start=False).perturb(victim, image, label, 0.2, generator()).images
    step = torch.tensor([-2.0, -2.0, 1.0, -1.0]) * 0.2 / 10**0.5
    torch.testing.assert_close(found - image, step.view(1, 1, 2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PGD(steps=0), "steps is 0"),
        (lambda: PGD(step_size=0), "step_size is 0"),
        (lambda: APGD(step_size=2.5), "step_size is 2.5"),
        (lambda: PGD(restarts=0), "restarts is 0"),
        (lambda: PGD(restarts=2, random_start=False), "all the same"),
        (lambda: PGD("l1"), 'unknown norm "l1"'),
        (lambda: APGD(momentum=0), "momentum is 0"),
        (lambda: APGD(rises=1.5), "rises is 1.5"),
        (lambda: Square(queries=0), "queries is 0"),
        (lambda: Square(area=0), "area is 0"),
    ],
)
def test_constants_out_of_range_are_refused(make, message):
    with pytest.raises(NessBenchError, match=message):
        make()


@pytest.mark.parametrize("attack", [FGSM(), PGD(), APGD(), Square()], ids=lambda attack: type(attack).__name__)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -0.1}, "ε is -0.1"),
        ({"epsilon": 8.0}, "pixel units"),
        ({"epsilon": float("nan")}, "ε is nan"),
        ({"images": torch.full((2, 1, 8, 8), 1.5)}, r"\[0, 1\]"),
        ({"images": torch.full((2, 1, 8, 8), float("nan"))}, r"\[0, 1\]"),
        ({"images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}, "divide bytes by 255"),
        ({"images": torch.zeros(2, 3, 8, 8)}, r"takes \[n, 1, height, width\]"),
        ({"images": torch.zeros(0, 1, 8, 8)}, "n of 1 or more"),
        ({"labels": torch.tensor([0, 10])}, "10 classes, 0 to 9"),
        ({"labels": torch.tensor([0, -1])}, "labels lie in -1"),
        ({"labels": torch.tensor([0])}, "2 images need int64"),
    ],
)
def test_bad_input_is_refused(victim, attack, change, message):
    given = {"images": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([0, 9]), "epsilon": 0.1} | change
    with pytest.raises(NessBenchError, match=message):
        attack.perturb(victim, **given, generator=generator())


def test_networks_that_give_nan_are_refused(victim, test_images):
    class NoGradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * torch.nan

    class Broken(nn.Module):
        def __init__(self, broken):
            super().__init__()
            self.broken = broken

        def forward(self, x):
            return self.broken(victim.logits(x))

    images, labels = test_images
    for broken, message in ((lambda x: x * torch.nan, "logits that are not finite"), (NoGradient.apply, "gradient is")):
        nan = Victim((Broken(broken).eval(),), (0.0,), (1.0,))
        with pytest.raises(NessBenchError, match=message):
            APGD().perturb(nan, images, labels, 0.1, generator())


def test_a_victim_is_the_mean_of_its_members_probabilities(victim, data, test_images):
    """Logits and gradient against the formula written out in float64: softmax, weighted mean, logarithm."""
    images, labels = test_images
    pixels = images.double().requires_grad_()
    mean, std = (data.train.pixels.astype(np.float64) / 255).mean(), (data.train.pixels / 255).std()
    for member in victim.members:
        member.double()
    try:
        probabilities = sum(
            weight * torch.softmax(member((pixels - mean) / std), 1)
            for weight, member in zip(victim.weights, victim.members, strict=True)
        )
        torch.testing.assert_close(victim.logits(images.double()), probabilities.log())
        losses = -probabilities[torch.arange(len(labels)), labels].log()
        (expected,) = torch.autograd.grad(losses.sum(), pixels)
        found, judgement = victim.gradient(images.double(), labels)
        torch.testing.assert_close(torch.nn.functional.softplus(judgement.odds), losses.detach())
        # The cross-entropy is softplus(odds): the chain rule.
        torch.testing.assert_close(found * judgement.odds.sigmoid().view(-1, 1, 1, 1), expected)
        assert torch.equal(judgement.fooled, probabilities.argmax(1) != labels)
        assert torch.equal(judgement.fooled, victim.judge(images.double(), labels).fooled)
    finally:
        for member in victim.members:
            member.float()


def test_a_victim_normalises_as_its_data_set_does(victim, data):
    images, labels = to_pixels(data.test.first(20))
    normalised = torch.from_numpy(data.normalise(data.test.pixels[:20])).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = victim.members[1](normalised).log_softmax(1)
        torch.testing.assert_close(victim.member(1).logits(images), expected, atol=1e-4, rtol=1e-4)
    assert labels.tolist() == data.test.labels[:20].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": ()}, "no members"),
        ({"members": (nn.Flatten(),)}, r"training mode; call its eval\(\)"),
        ({"std": (0.0,)}, "above 0"),
        ({"mean": (0.0, 0.0)}, "one each a channel"),
        ({"weights": (0.5,)}, "together 1"),
        ({"weights": (0.5, 0.5)}, "1 members"),
    ],
)
def test_victims_that_make_no_sense_are_refused(change, message):
    given = {"members": (nn.Flatten().eval(),), "mean": (0.0,), "std": (1.0,)} | change
    with pytest.raises(NessBenchError, match=message):
        Victim(**given)
