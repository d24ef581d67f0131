"""Bootstrap intervals against SciPy, closed forms and plain loops, and what they cover."""

import numpy as np
import pytest
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import bootstrap_interval, draw_counts, stratified_draws, stratified_interval


def mean(scores):
    return scores.mean((-2, -1))


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_that_of_scipy_up_to_monte_carlo_error(level):
    values = np.random.default_rng(1).gamma(2, size=12)
    low, high = bootstrap_interval(values, seed=2, level=level, resamples=20_000)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        method="percentile",
        confidence_level=level,
        n_resamples=20_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03 * (expected.high - expected.low))


@pytest.mark.parametrize(("level", "expected"), [(0.4, (0.5, 0.5)), (0.6, (0.0, 1.0))])
def test_of_two_values_the_resampled_means_are_known(level, expected):
    """Means of {0, 1} drawn twice: 0, ½ and 1 with probabilities ¼, ½ and ¼."""
    assert bootstrap_interval([0, 1], level=level) == expected


def test_of_many_values_the_interval_is_that_of_the_normal_law():
    values = np.random.default_rng(4).normal(7, 2, size=500)
    half_width = 1.96 * values.std() / np.sqrt(500)
    low, high = bootstrap_interval(values, resamples=10_000)
    assert (low, high) == pytest.approx((values.mean() - half_width, values.mean() + half_width), abs=0.05 * half_width)


@pytest.mark.parametrize("shape", [(1,), (10,), (1500,), (9, 4), (30, 40)])
def test_the_interval_is_that_of_one_resample_after_the_other_to_the_last_bit(shape):
    values = np.random.default_rng(5).gamma(2, size=shape)
    draws = np.random.default_rng(6).integers(len(values), size=(2000, len(values)))
    means = np.array([values[rows].mean(axis=0) for rows in draws])
    expected = np.quantile(means, [(1 - 0.95) / 2, (1 + 0.95) / 2], axis=0)
    np.testing.assert_array_equal(bootstrap_interval(values, seed=6), expected)


def test_quantities_are_resampled_alike():
    values = np.random.default_rng(0).normal(size=(7, 3))
    low, high = bootstrap_interval(values)
    for quantity in range(3):
        assert (low[quantity], high[quantity]) == pytest.approx(bootstrap_interval(values[:, quantity]), abs=1e-12)


def test_the_interval_follows_shift_and_scale_and_its_seed():
    values = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    interval = bootstrap_interval(values)
    assert bootstrap_interval(100 * values + 3) == pytest.approx([100 * end + 3 for end in interval])
    assert bootstrap_interval(values, seed=np.random.default_rng(0)) == interval
    assert bootstrap_interval(values, seed=1) != interval
    assert bootstrap_interval([2.5]) == (2.5, 2.5)


def test_strata_drawn_apart_are_drawn_independently_and_jointly_alike():
    apart, jointly = (stratified_draws(2, 5, resamples=20_000, jointly=joint) for joint in (False, True))
    for draws in (apart, jointly):
        assert draws.shape == (20_000, 2, 5)
        np.testing.assert_allclose(draw_counts(draws).mean(0), 1, atol=0.03)
    assert (jointly[:, 0] == jointly[:, 1]).all()
    assert (apart[:, 0] == apart[:, 1]).mean() == pytest.approx(1 / 5, abs=0.01)


def test_counts_are_how_often_each_repetition_was_drawn():
    draws = np.array([[[0, 0, 2], [1, 2, 0]], [[2, 2, 2], [0, 1, 1]]])
    np.testing.assert_array_equal(draw_counts(draws), [[[2, 0, 1], [1, 1, 1]], [[0, 0, 3], [1, 2, 0]]])


def test_the_stratified_interval_of_a_mean_has_the_width_of_its_standard_error():
    """Var of the mean of S strata's means: Σ σ²/n / S² if they are apart, that of the seeds' means if joint."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=200) + rng.normal(size=(3, 200)) * [[0.5], [1.0], [2.0]]
    for jointly, error in (
        (False, np.sqrt((scores.var(1) / 200).sum()) / 3),
        (True, scores.mean(0).std() / np.sqrt(200)),
    ):
        low, high = stratified_interval(scores, mean, resamples=20_000, jointly=jointly)
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.03)
        assert (low + high) / 2 == pytest.approx(scores.mean(), abs=0.1 * error)


def test_drawn_jointly_strata_are_one_stratum_of_their_means():
    scores = np.random.default_rng(3).normal(size=(4, 9))
    assert stratified_interval(scores, mean, jointly=True) == pytest.approx(bootstrap_interval(scores.mean(0)))


def test_any_statistic_of_many_scores_is_resampled_whole():
    """More scores than are resampled at a time; the median of the whole, not one of parts."""
    scores = np.random.default_rng(4).gamma(2, size=(50, 40))
    draws = stratified_draws(50, 40, seed=7, resamples=900)
    medians = [np.median(scores[np.arange(50)[:, None], rows]) for rows in draws]
    found = stratified_interval(scores, lambda s: np.median(s, (1, 2)), seed=7, resamples=900)
    assert found == pytest.approx(np.quantile(medians, [0.025, 0.975]))


def test_where_strata_share_their_seeds_only_joint_intervals_cover_the_mean():
    """10 seeds, whose four strata share 60 % of their variance: 90 % are covered jointly, 69 % apart."""
    rng = np.random.default_rng(8)
    covered = {True: 0, False: 0}
    for _ in range(500):
        scores = np.sqrt(0.6) * rng.normal(size=10) + np.sqrt(0.4) * rng.normal(size=(4, 10))
        for jointly in covered:
            low, high = stratified_interval(scores, mean, resamples=300, jointly=jointly)
            covered[jointly] += low <= 0 <= high
    assert 0.86 < covered[True] / 500 < 0.94
    assert 0.63 < covered[False] / 500 < 0.75


@pytest.mark.parametrize("scores", [[1.0, 2.0], [[]], np.zeros((2, 2, 2))])
def test_scores_of_another_shape_are_refused(scores):
    with pytest.raises(NessBenchError, match="they must be"):
        stratified_interval(scores, mean)
