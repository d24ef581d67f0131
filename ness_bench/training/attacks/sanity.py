"""Can these curves be believed? A network that hides its gradients looks robust to attacks that follow them.

Source of the checks: Athalye, Carlini, Wagner: Obfuscated Gradients Give a False Sense of Security (ICML 2018, section
3.1), and Carlini et al.: On Evaluating Adversarial Robustness (2019); of their thresholds: ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.apgd import APGD
from ness_bench.training.attacks.ball import widest
from ness_bench.training.attacks.pgd import PGD
from ness_bench.training.attacks.robust_accuracy import Curve
from ness_bench.training.attacks.square import Square

ALMOST_NONE = 0.01
"""Robust accuracy that may be left at an ε that reaches grey from every image."""

CHANCE = 0.01
"""A one-sided sign test below this is no longer counting noise."""


def sanity(curves: Sequence[Curve]) -> list[str]:
    """What speaks against these curves, a sentence each; none if nothing does.

    1. Accuracy does not rise with ε: the larger ball holds the smaller one.
    2. PGD and APGD leave almost nothing (1 %) at an ε from which every image can be made grey, .5 for L∞: a classifier
       that does better there hides its gradients, or the attack is too weak. That no curve of theirs goes so far is
       a sentence as well, since nothing then tells hidden gradients from robustness.
    3. More steps of the same attack do not leave more.
    4. Square, which sees scores only, is not stronger than APGD, which sees gradients.

    What rises is judged by the images that two attacks disagree on (sign test): 1, 3 and 4 allow for counting noise.

    Args:
        curves: of one victim on the same images.

    Raises:
        NessBenchError: the curves are of different images or victims, as the images classified rightly tell.
    """
    for curve in curves:
        if not np.array_equal(curve.clean, curves[0].clean):
            raise NessBenchError(
                "the curves disagree on which images are classified rightly without an attack; "
                "give curves of one victim on the same images"
            )
    return [*_rises(curves), *_what_is_left(curves), *_more_steps(curves), *_black_box(curves)]


def _rises(curves: Sequence[Curve]) -> Iterator[str]:
    for curve in curves:
        for row in range(1, len(curve.epsilons)):
            if _more(curve.robust[row], curve.robust[row - 1]):
                yield (
                    f"{curve.attack}: accuracy rises with ε, from {curve.accuracies[row - 1]:.1%} at "
                    f"{curve.epsilons[row - 1]:g} to {curve.accuracies[row]:.1%} at {curve.epsilons[row]:g}; "
                    "the attack does not find what lies in the smaller ball"
                )


def _what_is_left(curves: Sequence[Curve]) -> Iterator[str]:
    white = [curve for curve in curves if isinstance(curve.attack, PGD | APGD)]
    far = [curve for curve in white if curve.epsilons[-1] >= widest(curve.attack.norm, curve.pixels) / 2]
    if not far:
        yield (
            "no curve of PGD or APGD goes as far as grey, ε = .5 for L∞; attack there as well, "
            "to see whether gradients are hidden"
        )
    for curve in far:
        if curve.accuracies[-1] > ALMOST_NONE:
            yield (
                f"{curve.attack}: {curve.accuracies[-1]:.1%} are left at ε = {curve.epsilons[-1]:g}, where every image "
                "can be made grey; the gradients are hidden, or the attack is too weak"
            )


def _more_steps(curves: Sequence[Curve]) -> Iterator[str]:
    for few, many in permutations(curves, 2):
        if _longer(few, many):
            for epsilon, of_few, of_many in _at_the_same_epsilons(few, many):
                if _more(of_many, of_few):
                    yield (
                        f"{many.attack} leaves {of_many.mean():.1%} at ε = {epsilon:g}, with fewer steps it leaves "
                        f"{of_few.mean():.1%}; an attack that goes on should find no less"
                    )


def _longer(few: Curve, many: Curve) -> bool:
    """Whether the second attack is the first with more steps, or more queries."""
    one, other = few.attack, many.attack
    if (isinstance(one, PGD) and isinstance(other, PGD)) or (isinstance(one, APGD) and isinstance(other, APGD)):
        return one.steps < other.steps and replace(one, steps=other.steps) == other
    if isinstance(one, Square) and isinstance(other, Square):
        return one.queries < other.queries and replace(one, queries=other.queries) == other
    return False


def _black_box(curves: Sequence[Curve]) -> Iterator[str]:
    for white, black in permutations(curves, 2):
        if isinstance(white.attack, APGD) and white.attack.norm == "linf" and isinstance(black.attack, Square):
            for epsilon, of_white, of_black in _at_the_same_epsilons(white, black):
                if _more(of_white, of_black):
                    yield (
                        f"{black.attack} leaves {of_black.mean():.1%} at ε = {epsilon:g}, {white.attack} "
                        f"{of_white.mean():.1%}; scores tell more than gradients: these are hidden, or APGD needs more "
                        "restarts"
                    )


def _at_the_same_epsilons(
    one: Curve, other: Curve
) -> Iterator[tuple[float, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    for row, epsilon in enumerate(one.epsilons):
        if epsilon in other.epsilons:
            yield epsilon, one.robust[row], other.robust[other.epsilons.index(epsilon)]


def _more(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> bool:
    """Whether more images are robust in the first than in the second, beyond a coin tossed for each that differs."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return bool(binom.sf(only_first - 1, only_first + only_second, 0.5) < CHANCE)
