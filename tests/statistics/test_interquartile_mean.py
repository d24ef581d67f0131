"""The interquartile mean against SciPy's trimmed mean."""

import numpy as np
import pytest
from scipy import stats

from ness_bench.statistics.interquartile_mean import interquartile_mean, pooled_interquartile_mean


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 10, 30])
def test_it_is_the_mean_without_a_quarter_at_either_end(number):
    scores = np.random.default_rng(number).gamma(1, size=(6, number))
    scores[0] = np.round(scores[0])  # ties
    expected = stats.trim_mean(scores, 0.25, axis=-1)
    np.testing.assert_allclose(interquartile_mean(scores), expected, rtol=1e-13)


def test_strata_are_pooled_before_they_are_cut():
    scores = np.random.default_rng(0).normal([[0], [10], [20]], 1, size=(5, 3, 4))
    expected = [stats.trim_mean(resample, 0.25, axis=None) for resample in scores]
    np.testing.assert_allclose(pooled_interquartile_mean(scores), expected)
    assert not np.allclose(pooled_interquartile_mean(scores), interquartile_mean(scores).mean(-1), atol=0.1)
