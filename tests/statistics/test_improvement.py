"""The probability of improvement against SciPy's Mann–Whitney U; its intervals against resampling run by run."""

import numpy as np
import pytest
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import stratified_draws
from ness_bench.statistics.improvement import improvement_interval, probability_of_improvement


@pytest.fixture
def losses():
    """Of two methods in three strata, the first somewhat better, with ties."""
    rng = np.random.default_rng(0)
    return np.round(rng.gamma(2, size=(3, 8)), 1), np.round(rng.gamma(3, size=(3, 8)), 1)


def test_it_is_u_over_the_pairs_averaged_over_strata(losses):
    ours, theirs = losses[0], losses[1][:, :5]
    u = [stats.mannwhitneyu(y, x).statistic for x, y in zip(ours, theirs, strict=True)]
    assert probability_of_improvement(ours, theirs) == pytest.approx(np.mean(u) / 40)
    assert probability_of_improvement(theirs, ours) == pytest.approx(1 - np.mean(u) / 40)


@pytest.mark.parametrize("jointly", [True, False])
def test_the_interval_is_that_of_resampling_runs(losses, jointly):
    ours, theirs = losses
    rng = np.random.default_rng(5)
    strata = np.arange(3)[:, None]
    draws = stratified_draws(3, 8, rng, 300, jointly=jointly)
    others = draws if jointly else stratified_draws(3, 8, rng, 300)
    resampled = [
        probability_of_improvement(ours[strata, rows], theirs[strata, of_others])
        for rows, of_others in zip(draws, others, strict=True)
    ]
    found = improvement_interval(ours, theirs, seed=5, resamples=300, jointly=jointly)
    assert found == pytest.approx(np.quantile(resampled, [0.025, 0.975]))


def test_a_method_does_not_improve_on_itself(losses):
    assert probability_of_improvement(losses[0], losses[0]) == 0.5
    assert improvement_interval(losses[0], losses[0], jointly=True) == (0.5, 0.5)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_of_seeds_that_both_methods_and_all_strata_share_joint_intervals_cover_the_truth(shared):
    """For 20 seeds; `shared` is what methods have in common. Drawn apart, 78 % and 88 % are covered."""
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(0.5 / np.sqrt(2))
    hits = 0
    for _ in range(400):
        common = np.sqrt(shared) * rng.normal(size=20)
        of_seeds = np.sqrt(0.6 * (1 - shared)) * rng.normal(size=(2, 1, 20))
        ours, theirs = common + of_seeds + np.sqrt(0.4 * (1 - shared)) * rng.normal(size=(2, 4, 20))
        low, high = improvement_interval(ours - 0.5, theirs, resamples=300, jointly=True)
        hits += low <= truth <= high
    assert 0.89 < hits / 400 < 0.97


def test_what_cannot_be_held_against_each_other_is_refused(losses):
    with pytest.raises(NessBenchError, match="losses of 3 strata cannot be held against those of 2"):
        probability_of_improvement(losses[0], losses[1][:2])
    with pytest.raises(NessBenchError, match="8 and 5 repetitions cannot be drawn jointly"):
        improvement_interval(losses[0], losses[1][:, :5], jointly=True)
