"""What breaks a promise of `MetricContract` fails the tests of that promise, what keeps all fails none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from failing import failing, promises_of

from ness_bench.ensembles import metrics
from ness_bench.studies.metrics import Metric
from ness_bench.testing import MetricContract


def disagreement(probabilities, weights, labels):
    return metrics.disagreement(probabilities.argmax(-1))


def on_the_mean(score):
    return lambda probabilities, weights, labels: score(metrics.ensemble_probabilities(probabilities, weights), labels)


def rescales(probabilities, weights, labels):
    probabilities /= probabilities.sum(-1, keepdims=True)
    weights *= 2
    return 1.0


def drifts(probabilities, weights, labels, calls=[]):  # noqa: B006
    calls.append(1)
    return float(len(calls))


def of_the_first_examples(probabilities, weights, labels):
    return metrics.accuracy(np.einsum("m,mec->ec", weights, probabilities)[:50], labels[:50])


def of_the_first_member(probabilities, weights, labels):
    return metrics.brier(probabilities[0], labels)


def of_class_0(probabilities, weights, labels):
    return float(np.einsum("m,me->e", weights, probabilities[:, :, 0]).mean())


def recall_of_the_last_class(probabilities, weights, labels):
    right = metrics.ensemble_probabilities(probabilities, weights).argmax(-1)[labels == 4] == 4
    return float(right.mean()) if len(right) else math.nan


def of_each_class(probabilities, weights, labels):
    return np.zeros(probabilities.shape[-1])


def unbounded_nll(probabilities, weights, labels):
    with np.errstate(divide="ignore"):
        return float(-np.log(metrics.true_class(metrics.ensemble_probabilities(probabilities, weights), labels)).mean())


def bits_of_the_mean(probabilities, weights, labels):
    return float(probabilities.dtype.itemsize) + on_the_mean(metrics.nll)(probabilities, weights, labels)


NUMBER, FUNCTION, EXAMPLES = (
    "is_a_finite_number",
    "is_a_function_of_what_it_is_given",
    "the_order_of_examples_does_not_matter",
)
MEMBERS, CLASSES = "the_order_of_members_does_not_matter", "the_numbers_of_classes_do_not_matter"
TWICE, PRECISION = (
    "a_member_that_stands_twice_with_half_its_weight_changes_nothing",
    "single_and_double_precision_agree",
)
BEST, SHOWN = "perfect_predictions_are_no_worse_than_others", "can_be_shown_in_a_table"


METRICS = [
    *((on_the_mean(score), better, {}, set()) for score, better in
      ((metrics.nll, "↓"), (metrics.brier, "↓"), (metrics.accuracy, "↑"), (metrics.ece, "↓"))),
    (disagreement, "", {"of_the_mean": False}, set()),
    (disagreement, "", {}, {TWICE}),
    (on_the_mean(metrics.nll), "↑", {}, {BEST}),
    (rescales, "", {}, {FUNCTION}),
    (drifts, "", {}, {FUNCTION, EXAMPLES, MEMBERS, CLASSES, TWICE, PRECISION}),
    (of_the_first_examples, "↑", {}, {EXAMPLES}),
    (of_the_first_member, "↓", {}, {MEMBERS}),
    (of_class_0, "", {}, {CLASSES}),
    (of_class_0, "", {"treats_classes_alike": False}, set()),
    (recall_of_the_last_class, "↑", {"treats_classes_alike": False}, {NUMBER}),
    (unbounded_nll, "↓", {}, {NUMBER}),
    (bits_of_the_mean, "", {}, {PRECISION}),
    (of_each_class, "", {}, {NUMBER, FUNCTION}),
]  # fmt: skip


@pytest.mark.parametrize(("compute", "better", "promises", "expected"), METRICS)
def test_a_metric_fails_the_tests_of_what_it_breaks(compute, better, promises, expected):
    metric = Metric("subject", "Subject", "", 3, better, compute)
    assert failing(MetricContract, metric=metric, **promises) == expected


@pytest.mark.parametrize("change", [{"name": "two words"}, {"title": ""}, {"digits": -1}, {"better": "up"}])
def test_a_metric_that_no_table_can_show_is_noticed(change):
    metric = replace(Metric("subject", "Subject", "", 3, "↓", on_the_mean(metrics.nll)), **change)
    assert SHOWN in failing(MetricContract, metric=metric)


def test_every_test_of_a_metric_can_fail():
    assert set.union({SHOWN}, *(expected for *_, expected in METRICS)) == promises_of(MetricContract)
