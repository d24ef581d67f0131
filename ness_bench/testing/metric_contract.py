"""What every metric owes that is registered with studies."""

import math
import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from ness_bench.studies.metrics import Metric

MEMBERS, EXAMPLES, CLASSES = 4, 200, 5

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]
Case = tuple[Floats, npt.NDArray[np.float64], Labels]
"""Probabilities [members, examples, classes], weights [members], labels [examples]."""


class MetricContract:
    """What every `Metric` with a function owes, so that its numbers can stand beside others in a table.

        class TestWorstClass(MetricContract):
            metric = WORST_CLASS

    Attributes:
        metric: with its function `compute`.
        of_the_mean: whether it scores the averaged prediction alone, so that a member that stands twice, each time
            with half its weight, changes nothing. What looks at members one by one, such as their disagreement, is
            not.
        treats_classes_alike: whether it is the same when classes are numbered differently.
    """

    metric: ClassVar[Metric]
    of_the_mean: ClassVar[bool] = True
    treats_classes_alike: ClassVar[bool] = True

    def test_can_be_shown_in_a_table(self) -> None:
        metric = self.metric
        assert re.fullmatch(r"\w[\w-]*", metric.name), "its name is a word, as a plan writes it"
        assert metric.title
        assert metric.digits >= 0
        assert metric.better in ("↑", "↓", "")
        assert metric.compute is not None, "a metric of another package has a function"

    def test_is_a_finite_number(self) -> None:
        """On ordinary predictions, for one member and many, and where probabilities are 0 and 1."""
        for case in (_case(), _case(members=1), _certain(right=True), _certain(right=False), _uniform(), *_few()):
            value = self._compute(case)
            assert isinstance(value, float | np.floating), f"it is {value!r}, not a float"
            assert math.isfinite(value), f"it is {value}"

    def test_is_a_function_of_what_it_is_given(self) -> None:
        """Which it leaves as it was."""
        case = _case()
        before = [array.copy() for array in case]
        first = self._compute(case)
        for array, copy in zip(case, before, strict=True):
            assert np.array_equal(array, copy), "it changes its arguments"
        for array in case:
            array.flags.writeable = False  # as those of a bank are
        assert self._compute(case) == first, "the second time it is another"

    def test_the_order_of_examples_does_not_matter(self) -> None:
        probabilities, weights, labels = case = _case()
        order = np.random.default_rng(1).permutation(EXAMPLES)
        assert self._compute((probabilities[:, order], weights, labels[order])) == self._about(case)

    def test_the_order_of_members_does_not_matter(self) -> None:
        probabilities, weights, labels = case = _case()
        for order in ([3, 2, 1, 0], [1, 2, 3, 0]):
            assert self._compute((probabilities[order], weights[order], labels)) == self._about(case)

    def test_the_numbers_of_classes_do_not_matter(self) -> None:
        if not self.treats_classes_alike:
            pytest.skip("it declares that they do")
        probabilities, weights, labels = case = _case()
        new = np.random.default_rng(2).permutation(CLASSES)
        renamed = np.empty_like(probabilities)
        renamed[:, :, new] = probabilities
        assert self._compute((renamed, weights, new[labels])) == self._about(case)

    def test_a_member_that_stands_twice_with_half_its_weight_changes_nothing(self) -> None:
        if not self.of_the_mean:
            pytest.skip("it declares that it looks at members one by one")
        probabilities, weights, labels = case = _case()
        halved = np.append(weights, weights[0] / 2)
        halved[0] /= 2
        assert self._compute((np.concatenate([probabilities, probabilities[:1]]), halved, labels)) == self._about(case)

    def test_single_and_double_precision_agree(self) -> None:
        probabilities, weights, labels = case = _case()
        assert self._compute((probabilities.astype(np.float64), weights, labels)) == self._about(case)

    def test_perfect_predictions_are_no_worse_than_others(self) -> None:
        """Than uniform, ordinary and wrong ones; where the metric says which way is better."""
        if not self.metric.better:
            pytest.skip("it has no better and worse")
        sign = 1 if self.metric.better == "↑" else -1
        perfect = sign * self._compute(_certain(right=True))
        for name, case in (("uniform", _uniform()), ("ordinary", _case()), ("wrong", _certain(right=False))):
            assert perfect >= sign * self._compute(case) - 1e-9, f"{name} predictions score better than perfect ones"

    def _compute(self, case: Case) -> float:
        assert self.metric.compute is not None, "a metric of another package has a function"
        return self.metric.compute(*case)

    def _about(self, case: Case) -> object:
        """Equal up to the rounding of sums."""
        return pytest.approx(self._compute(case), rel=1e-5, abs=1e-7)


def _case(members: int = MEMBERS, examples: int = EXAMPLES) -> Case:
    """Predictions that are right more often than by chance, members of different weight, classes of different size."""
    rng = np.random.default_rng(0)
    labels = rng.choice(CLASSES, examples, p=np.arange(1, CLASSES + 1) / 15)
    logits = rng.normal(size=(members, examples, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return probabilities.astype(np.float32), rng.dirichlet(np.ones(members)), labels


def _certain(right: bool) -> Case:
    """All members put everything on the true class, or on another."""
    probabilities, weights, labels = _case()
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels if right else (labels + 1) % CLASSES]
    return np.broadcast_to(one_hot, probabilities.shape).copy(), weights, labels


def _uniform() -> Case:
    probabilities, weights, labels = _case()
    return np.full_like(probabilities, 1 / CLASSES), weights, labels


def _few() -> Iterator[Case]:
    """So few examples that some classes have none."""
    return (_case(examples=examples) for examples in (1, 3))
