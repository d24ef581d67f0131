"""Performance profiles against counting and plain resampling; areas under budgets against closed forms."""

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import stratified_draws
from ness_bench.statistics.budget_area import area_under_budget
from ness_bench.statistics.performance_profile import performance_profile, profile_band

THRESHOLDS = np.array([0.0, 1.5, 0.7, 3.0, 99.0])


@pytest.fixture
def losses():
    return np.round(np.random.default_rng(0).gamma(2, size=(3, 8)), 1)


def test_a_profile_is_the_share_of_runs_that_are_good_enough(losses):
    losses[1, 2] = THRESHOLDS[2]  # no worse than a threshold is good enough
    expected = [np.mean([loss <= threshold for loss in losses.ravel()]) for threshold in THRESHOLDS]
    np.testing.assert_allclose(performance_profile(losses, THRESHOLDS), expected)


@pytest.mark.parametrize("jointly", [True, False])
def test_its_band_is_that_of_resampling_runs(losses, jointly):
    strata = np.arange(3)[:, None]
    draws = stratified_draws(3, 8, seed=4, resamples=300, jointly=jointly)
    resampled = [performance_profile(losses[strata, rows], THRESHOLDS) for rows in draws]
    band = profile_band(losses, THRESHOLDS, seed=4, resamples=300, jointly=jointly)
    np.testing.assert_allclose(band, np.quantile(resampled, [0.025, 0.975], axis=0))


def test_the_area_is_the_mean_over_the_log_of_the_budget():
    budgets = np.array([5.0, 10.0, 80.0])
    assert area_under_budget(budgets, [0.3, 0.3, 0.3]) == pytest.approx(0.3)
    line = 2 - 0.25 * np.log2(budgets)
    assert area_under_budget(budgets, line) == pytest.approx((line[0] + line[-1]) / 2)
    assert area_under_budget(budgets, [4, 2, 1]) == pytest.approx((1 * 3 + 3 * 1.5) / 4)  # doublings from each to next


def test_the_area_does_not_depend_on_the_unit_of_the_budget_and_is_taken_curve_by_curve():
    budgets, curves = np.array([20, 40, 80, 100]), np.random.default_rng(1).normal(size=(2, 3, 4))
    areas = area_under_budget(budgets, curves)
    np.testing.assert_allclose(area_under_budget(budgets * 3600, curves), areas)
    assert areas[1, 2] == pytest.approx(area_under_budget(budgets, curves[1, 2]))


def test_a_single_budget_gives_its_value():
    np.testing.assert_array_equal(area_under_budget([40], [[0.2], [0.3]]), [0.2, 0.3])


@pytest.mark.parametrize(("budgets", "number"), [([], 0), ([0, 10], 2), ([20, 10], 2), ([10, 10], 2), ([10, 20], 3)])
def test_other_budgets_are_refused(budgets, number):
    with pytest.raises(NessBenchError, match="above 0 and ascend"):
        area_under_budget(budgets, np.zeros(number))
