"""Holm's adjustment against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from ness_bench.statistics.holm import holm


@pytest.mark.parametrize("tests", [1, 2, 8, 24])
def test_adjusted_p_values_are_those_of_statsmodels(tests):
    p = np.random.default_rng(tests).beta(0.3, 2, size=tests)
    p[: tests // 3] = p[-1]  # ties
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_of_no_tests_nothing_is_adjusted():
    assert holm([]).shape == (0,)
