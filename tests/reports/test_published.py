"""A number is held against a published one only if it came about as that one did."""

import pytest

from ness_bench.studies.published import PUBLISHED, comparison_of
from ness_bench.studies.trials import TrialPlan

METHODS = ["random-search", "regularized-evolution", "reinforce", "bohb"]


def plan(table, **changes):
    content = {"protocol": "nas-bench-201", "dataset": "cifar10", "methods": METHODS, "repetitions": 2}
    return TrialPlan.model_validate({"name": "study", "table": table} | content | changes)


@pytest.fixture(scope="module")
def as_published(make_table):
    return make_table()


@pytest.mark.parametrize("number", PUBLISHED.values(), ids=[name for *_, name in PUBLISHED])
def test_a_mean_is_inside_up_to_one_standard_deviation_as_printed(number):
    for side in (-1, 1):
        edge = number.mean + side * number.std
        assert number.holds(edge)
        assert number.holds(edge + side * 0.0049)  # printed as the edge
        assert not number.holds(edge + side * 0.0051)
        assert not number.holds(edge + side * 0.01)


def test_all_that_ran_as_published_is_compared_under_its_label(as_published):
    methods = [{"name": "reinforce", "label": "policy"}, *METHODS[:2], "bohb"]
    comparison = comparison_of(plan(as_published, methods=methods))
    assert comparison.reasons == ()
    assert {label: number.mean for label, number in comparison.published.items()} == {
        "policy": 93.85,
        "random-search": 93.70,
        "regularized-evolution": 93.92,
        "bohb": 93.61,
    }


def test_other_constants_are_not_compared_and_defaults_written_out_are(as_published):
    evolution = "regularized-evolution"
    methods = [
        {"name": evolution, "label": "as published", "constants": {"population": 10}},
        {"name": evolution, "label": "large", "constants": {"population": 30}},
    ]
    comparison = comparison_of(plan(as_published, methods=methods))
    assert list(comparison.published) == ["as published"]
    assert comparison.reasons == ("large has constants of its own",)


def test_that_bohb_had_no_shorter_trainings_is_said(make_table):
    comparison = comparison_of(plan(make_table(lengths=1)))
    assert list(comparison.published) == METHODS
    (remark,) = comparison.remarks
    assert remark.startswith("bohb had no trainings of fewer than 12 epochs")
    assert comparison_of(plan(make_table())).remarks == ()


@pytest.mark.parametrize(
    ("of_table", "of_plan", "reason"),
    [
        ({"signal": False}, {}, "the table has no 12-epoch accuracies (guided by 200-epoch ones, 200,000 s)"),
        ({"test": False}, {}, "scored on val, since it has no test accuracies"),
        ({"size": 4000}, {}, "the table covers 4,000 of 15,625 architectures"),
        ({}, {"strict": True}, "the last trial had to fit into the budget"),
        ({}, {"protocol": "nats-bench"}, "there are no published numbers of protocol nats-bench on cifar10"),
    ],
)
def test_nothing_is_compared_where_the_study_is_another_and_it_is_said_why(make_table, of_table, of_plan, reason):
    comparison = comparison_of(plan(make_table(**of_table), **of_plan))
    assert comparison.published == {}
    assert comparison.reasons == (reason,)
