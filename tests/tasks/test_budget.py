import pytest

from ness_bench.errors import NessBenchError
from ness_bench.tasks.budget import Budget, BudgetExhausted


def test_what_does_not_fit_is_not_charged():
    budget = Budget(2)
    budget.charge("training", 1.5, "a")
    with pytest.raises(BudgetExhausted, match=r"b costs 0\.6 TE, but only 0\.5 of the budget of 2 TE are left"):
        budget.charge("training", 0.6, "b")
    assert budget.spent == {"training": 1.5, "supernet": 0, "evaluation": 0}
    budget.charge("supernet", 0.5, "c")
    assert budget.left == 0
    assert not budget.affords(1e-3)


def test_the_last_request_may_overshoot_where_that_is_the_protocol():
    budget = Budget(10, "s", overshoot=True)
    budget.charge("training", 9, "a")
    budget.charge("training", 5, "b")
    assert budget.left == -4
    with pytest.raises(BudgetExhausted, match=r"c costs 1 s, but only 0 of the budget of 10 s are left"):
        budget.charge("training", 1, "c")
    exact = Budget(10, "s", overshoot=True)
    exact.charge("training", 10, "a")
    assert not exact.affords(1)


def test_a_sum_of_tenths_fits_despite_rounding():
    budget = Budget(1)
    for _ in range(10):
        budget.charge("evaluation", 0.1, "a tenth")


@pytest.mark.parametrize("total", [0, -1, float("inf"), float("nan")])
def test_a_total_that_is_no_amount_is_refused(total):
    with pytest.raises(NessBenchError, match="must be a positive number"):
        Budget(total)
