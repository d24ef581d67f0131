import itertools

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling.diagnostics import kl
from ness_bench.sampling.exact_posterior import log_likelihood_of, tempered
from ness_bench.sampling.posterior import Posterior

SPACE = np.array(list(itertools.product(range(3), repeat=3)), np.int8)


def test_the_tempered_posterior_is_bayes_rule() -> None:
    likelihood = np.random.default_rng(0).uniform(0.1, 1, size=27)
    for temperature in (0.5, 1.0, 3.0):
        weights = likelihood ** (1 / temperature)
        np.testing.assert_allclose(np.exp(tempered(np.log(likelihood), temperature)), weights / weights.sum())


def test_temperature_goes_from_the_best_architecture_to_the_prior() -> None:
    log_likelihood = -1e5 + 30 * np.random.default_rng(1).normal(size=27)  # exp would underflow everywhere
    hot, cold = tempered(log_likelihood, np.inf), tempered(log_likelihood, 1e-6)
    np.testing.assert_allclose(hot, -np.log(27))
    assert cold[log_likelihood.argmax()] == 0
    assert np.isfinite(cold).all()
    assert cold.argmin() == log_likelihood.argmin()


def test_what_any_posterior_lacks_in_elbo_is_its_kl() -> None:
    """log evidence − ELBO(q) = KL(q ‖ tempered posterior), for every q."""
    rng = np.random.default_rng(2)
    log_likelihood, temperature = 5 * rng.normal(size=27), 1.7
    log_evidence = np.log(np.mean(np.exp(log_likelihood / temperature)))
    for _ in range(5):
        posterior = Posterior(2 * rng.normal(size=(3, 3)), SPACE)
        q = posterior.probabilities
        elbo = q @ log_likelihood / temperature - q @ np.log(q * 27)
        gap = kl(posterior.log_probabilities, tempered(log_likelihood, temperature))
        assert gap == pytest.approx(log_evidence - elbo)


def test_a_table_s_likelihood_is_that_of_labels_which_came_true_with_the_accuracy() -> None:
    accuracy = np.array([0.25, 0.5, 1.0], np.float32)
    one_by_one = [sum(np.log(float(share)) for _ in range(200)) for share in accuracy]
    log_likelihood = log_likelihood_of(accuracy, 200)
    assert log_likelihood.dtype == np.float64
    np.testing.assert_allclose(log_likelihood, one_by_one)


def test_no_right_answer_counts_as_half_a_one() -> None:
    none, half, one = log_likelihood_of(np.array([0, 0.5, 1]) / 200, 200)
    assert none == half == pytest.approx(200 * np.log(1 / 400))
    assert one == pytest.approx(200 * np.log(1 / 200))


def test_bad_input_is_refused() -> None:
    with pytest.raises(NessBenchError, match=r"from 9\.7 to 91\.6; give shares"):
        log_likelihood_of(np.array([9.7, 91.6]), 25_000)
    with pytest.raises(NessBenchError, match="none of them NaN"):
        log_likelihood_of(np.array([0.5, np.nan]), 25_000)
    with pytest.raises(NessBenchError, match="temperature is 0"):
        tempered(np.zeros(3), 0)
    with pytest.raises(NessBenchError, match="not finite"):
        tempered(np.array([0, -np.inf]), 1.0)
