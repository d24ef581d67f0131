from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.apgd import APGD
from ness_bench.training.attacks.attack import Perturbed
from ness_bench.training.attacks.epsilons import epsilons_of
from ness_bench.training.attacks.fgsm import FGSM
from ness_bench.training.attacks.pgd import PGD
from ness_bench.training.attacks.robust_accuracy import BatchResult, Curve, robust_accuracy
from ness_bench.training.attacks.sanity import sanity
from ness_bench.training.attacks.square import Square
from ness_bench.training.attacks.victim import Victim

EPSILONS = (2 / 255, 12 / 255, 0.5)


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("clean", "robust", "queries"))


def test_counts_are_those_of_attacking_each_batch_by_hand(victim, test_images):
    images, labels = test_images
    curve = robust_accuracy(victim, FGSM(), images, labels, EPSILONS, batch_size=30)
    clean = victim.predict(images) == labels
    assert curve.clean.tolist() == clean.tolist()
    assert 0 < clean.sum() < 100
    for row, epsilon in enumerate(EPSILONS):
        found = FGSM().perturb(victim, images, labels, epsilon, torch.Generator()).images
        still = clean & (victim.predict(found) == labels)
        assert curve.robust[row].tolist() == still.tolist()
        assert curve.counts[row] == still.sum()
        assert curve.accuracies[row] == still.sum() / 100
        assert curve.queries[row].tolist() == clean.int().tolist()  # wrong ones are not attacked


def test_it_goes_on_from_what_is_finished_in_any_order(victim, test_images):
    images, labels = test_images
    attack = PGD(steps=3, restarts=2)
    results = []
    curve = robust_accuracy(victim, attack, images, labels, EPSILONS, batch_size=30, seed=5, progress=results.append)
    assert len(results) == 4 * 3
    kept = [BatchResult(**asdict(result)) for result in results[::-1] if (result.batch + len(result.robust)) % 3]
    anew = []
    again = robust_accuracy(
        victim, attack, images, labels, EPSILONS, batch_size=30, seed=5, finished=kept, progress=anew.append
    )
    assert same(curve, again)
    assert 0 < len(anew) == 12 - len(kept)
    # One ε alone gives what it gives among others; the images of a batch do not depend on those before it.
    alone = robust_accuracy(victim, attack, images, labels, EPSILONS[1:2], batch_size=30, seed=5)
    assert alone.robust[0].tolist() == curve.robust[1].tolist()
    with pytest.raises(NessBenchError, match="batch_size that it was made with"):
        robust_accuracy(victim, attack, images, labels, EPSILONS, batch_size=20, finished=kept)


def test_a_batch_draws_by_the_seed_and_its_number_alone(victim, test_images):
    drawn = {}

    class Drawing(FGSM):
        def perturb(self, victim, images, labels, epsilon, generator):
            drawn.setdefault(epsilon, []).append(torch.rand(3, generator=generator).tolist())
            return Perturbed(images, torch.ones_like(labels))

    for seed, epsilons in ((0, (0.1, 0.2)), (1, (0.3,)), (0, (0.4,))):
        robust_accuracy(victim, Drawing(), *test_images, epsilons, batch_size=50, seed=seed)
    assert drawn[0.1] == drawn[0.2] == drawn[0.4]
    assert len({tuple(numbers) for numbers in drawn[0.1] + drawn[0.3]}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilons": ()}, "one or more"),
        ({"epsilons": (0.2, 0.1)}, "larger than the one before"),
        ({"epsilons": (0.1, 8.0)}, "ε is 8"),
        ({"epsilons": (0.1, float("nan"))}, "ε is nan"),
        ({"images": torch.zeros(0, 1, 8, 8)}, "n of 1 or more"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_arguments_are_refused(victim, test_images, change, message):
    images, labels = test_images
    given = {"images": images, "labels": labels, "epsilons": (0.1,)} | change
    with pytest.raises(NessBenchError, match=message):
        robust_accuracy(victim, FGSM(), **given)


def test_an_attack_that_leaves_the_ball_does_not_count(victim, test_images):
    class Cheat(FGSM):
        def perturb(self, victim, images, labels, epsilon, generator):
            return Perturbed((images + 2 * epsilon).clamp(0, 1), torch.ones_like(labels))

    with pytest.raises(NessBenchError, match="left the ball"):
        robust_accuracy(victim, Cheat(), *test_images, (0.1,))


def curve_of(attack, epsilons, robust):
    robust = np.array(robust, bool)
    return Curve(attack, epsilons, 64, np.ones(robust.shape[1], bool), robust, np.ones(robust.shape, np.int64))


def first(count, of=100):
    return np.arange(of) < count


FAR = curve_of(PGD(), (0.1, 0.5), [first(50), first(0)])


def test_sanity_has_nothing_to_say_of_a_real_network(victim, test_images):
    attacks = PGD(), PGD(steps=5), APGD(steps=30), Square(queries=150)
    curves = [robust_accuracy(victim, attack, *test_images, EPSILONS) for attack in attacks]
    assert sanity(curves) == []
    assert curves[0].counts[0] > curves[0].counts[1] > curves[0].counts[2] == 0


class Masked(nn.Module):
    """The victim, with its gradients hidden."""

    def __init__(self, victim, hide):
        super().__init__()
        self.victim, self.hide = victim, hide

    def forward(self, x):
        return self.hide(self.victim.logits(x))


@pytest.mark.parametrize("hide", [lambda x: (4 * x).round() / 4, lambda x: x.detach() + 0 * x], ids=["rounded", "cut"])
def test_sanity_notices_hidden_gradients(victim, test_images, hide):
    masked = Victim((Masked(victim, hide).eval(),), (0.0,), (1.0,))
    curves = [robust_accuracy(masked, attack, *test_images, EPSILONS) for attack in (APGD(steps=30), Square(150))]
    found = sanity(curves)
    assert any("every image can be made grey; the gradients are hidden" in sentence for sentence in found)
    assert any("scores tell more than gradients" in sentence for sentence in found)


def test_gradients_do_not_hide_behind_large_logits(victim, test_images):
    """Whose softmax is exactly 0 or 1 in float32: the network makes the same mistakes, and is as easily fooled."""
    sure = Victim((Masked(victim, lambda x: x * 1e4).eval(),), (0.0,), (1.0,))
    plain, scaled = (robust_accuracy(of, APGD(steps=30), *test_images, EPSILONS) for of in (victim, sure))
    assert np.abs(plain.counts - scaled.counts).max() <= 4
    assert sanity([scaled, robust_accuracy(sure, Square(150), *test_images, EPSILONS)]) == []


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([curve_of(PGD(), (0.1, 0.2, 0.5), [first(50), first(70), first(0)])], "rises with ε, from 50.0% at 0.1"),
        ([curve_of(PGD(), (0.1, 0.5), [first(50), first(2)])], "2.0% are left at ε = 0.5"),
        ([curve_of(PGD(), (0.1,), [first(50)])], "no curve of PGD or APGD"),
        ([FAR, curve_of(PGD(steps=40), (0.1,), [first(60)])], "leaves 60.0% at ε = 0.1, with fewer steps"),
        ([FAR, curve_of(Square(100), (0.1,), [first(10)]), curve_of(Square(900), (0.1,), [first(30)])], "fewer steps"),
        ([FAR, curve_of(APGD(), (0.1,), [first(50)]), curve_of(Square(), (0.1,), [first(40)])], "scores tell more"),
    ],
)
def test_sanity_tells_each_thing_that_cannot_be(curves, message):
    (sentence,) = sanity(curves)
    assert message in sentence


@pytest.mark.parametrize(
    "curves",
    [
        [curve_of(PGD(), (0.1, 0.2, 0.5), [first(50), first(54), first(0)])],  # 4 of 4: p = .06
        [FAR, curve_of(PGD(steps=40), (0.1,), [first(53)])],
        [FAR, curve_of(PGD(steps=40, step_size=0.1), (0.1,), [first(90)])],  # not the same attack
        [FAR, curve_of(APGD(), (0.2,), [first(50)]), curve_of(Square(), (0.1,), [first(40)])],  # not the same ε
        [curve_of(APGD("l2"), (4.0,), [first(0)])],  # half of √64
    ],
)
def test_sanity_allows_for_counting_noise_and_compares_like_with_like(curves):
    assert sanity(curves) == []


def test_sanity_refuses_curves_of_other_images():
    other = replace(FAR, clean=first(99))
    with pytest.raises(NessBenchError, match="one victim on the same images"):
        sanity([FAR, other])


def test_the_nested_curve_is_the_worst_case_of_smaller_epsilons():
    curve = curve_of(FGSM(), (0.1, 0.2, 0.3), [[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]])
    assert curve.nested.robust.tolist() == [
        [True, True, False, True],
        [True, False, False, True],
        [True, False, False, False],
    ]


def test_epsilons_are_read_as_people_write_them():
    assert epsilons_of("2/255, 8 / 255,0.5,.1,0") == (2 / 255, 8 / 255, 0.5, 0.1, 0.0)


@pytest.mark.parametrize("text", ["", "8/0", "-1/255", "eight", "1/2/3", "0.1,,0.2", "nan", "inf", "1e9"])
def test_what_is_no_epsilon_is_refused(text):
    with pytest.raises(NessBenchError, match="is no ε"):
        epsilons_of(text)
