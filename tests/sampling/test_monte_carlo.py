import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling import monte_carlo
from ness_bench.sampling.posterior import Posterior

SUPPORT = np.array([[0, 0], [0, 1], [1, 1], [2, 0], [2, 2]], np.int8)
POSTERIOR = Posterior(np.array([[1.0, 0.0, -1.0], [0.5, 0.0, -0.5]]), SUPPORT)


def test_members_are_independent_and_follow_the_posterior() -> None:
    draws = monte_carlo.draw(POSTERIOR, 2, np.random.default_rng(0), 20_000)
    q = POSTERIOR.probabilities
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (draws[:, 0], draws[:, 1]), 1)
    expected = len(draws) * np.outer(q, q)
    chi_square = ((pairs - expected) ** 2 / expected).sum()
    assert chi_square < 51.2  # the 99.9 % quantile at 24 degrees of freedom


def test_the_same_seed_draws_the_same() -> None:
    first, second = (monte_carlo.draw(POSTERIOR, 5, np.random.default_rng(3), 10) for _ in range(2))
    assert first.shape == (10, 5)
    assert first.tobytes() == second.tobytes()


def test_ensembles_larger_than_the_support_are_refused() -> None:
    """As many as the support holds may be asked for, though copies are all but certain."""
    assert monte_carlo.draw(POSTERIOR, 5, np.random.default_rng(1), 2).shape == (2, 5)
    for n in (0, 6):
        with pytest.raises(NessBenchError, match=f"ensembles of {n} were asked for, drawn from 5.*ask for 1 to 5"):
            monte_carlo.draw(POSTERIOR, n, np.random.default_rng(1), 2)
