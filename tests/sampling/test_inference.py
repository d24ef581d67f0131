import itertools
from collections.abc import Callable

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import (
    Adam,
    coordinate_ascent,
    elbo_gradient,
    exact,
    score_function,
    score_function_gradient,
)
from ness_bench.sampling.posterior import Posterior

EDGES, OPERATIONS = 3, 3
SPACE = np.array(list(itertools.product(range(OPERATIONS), repeat=EDGES)), np.int8)
HALF = np.random.default_rng(0).permutation(SPACE)[:13]
NO_DECAY = Adam(weight_decay=0)


def elbo(logits: np.ndarray, support: np.ndarray, log_likelihood: np.ndarray, temperature: float) -> float:
    """The objective as the module's docstring states it."""
    q = Posterior(logits, support).probabilities
    return float(np.sum(q * log_likelihood) / temperature - np.sum(q * np.log(q * len(support))))


def interacting(support: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """A log-likelihood that no sum over edges expresses, mild enough that the ELBO has one maximum."""
    return scale * np.random.default_rng(1).normal(size=len(support)) - 3 * scale * (support[:, 0] == support[:, 1])


@pytest.mark.parametrize("support", [SPACE, HALF], ids=["whole", "restricted"])
def test_the_exact_gradient_is_that_of_the_objective(support: np.ndarray) -> None:
    logits = np.random.default_rng(2).normal(size=(EDGES, OPERATIONS))
    log_likelihood, temperature, step = interacting(support), 0.7, 1e-6
    differences = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        shift = np.zeros_like(logits)
        shift[place] = step
        up, down = (elbo(logits + sign * shift, support, log_likelihood, temperature) for sign in (1, -1))
        differences[place] = (up - down) / (2 * step)
    gradient = elbo_gradient(logits, Posterior(logits, support).one_hots, log_likelihood / temperature)
    np.testing.assert_allclose(gradient, differences, atol=1e-8)


@pytest.mark.parametrize("support", [SPACE, HALF], ids=["whole", "restricted"])
def test_the_score_function_gradient_is_unbiased(support: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    logits, tempered = rng.normal(size=(EDGES, OPERATIONS)), interacting(support) - 100.0
    one_hots = Posterior(logits, support).one_hots
    estimates = np.array(
        [score_function_gradient(logits, one_hots, lambda drawn: tempered[drawn], 3, rng) for _ in range(4000)]
    )
    standard_error = estimates.std(0) / np.sqrt(len(estimates))
    deviation = (estimates.mean(0) - elbo_gradient(logits, one_hots, tempered)) / standard_error
    assert np.abs(deviation).max() < 3.5  # of 9 entries
    assert standard_error.max() < 0.05  # the baseline removes the constant −100, which would bring it to 0.8


def test_exact_and_coordinate_ascent_end_on_the_same_maximum() -> None:
    log_likelihood = interacting(SPACE)
    climbed = exact(log_likelihood, SPACE, 2.0, operations=OPERATIONS, adam=NO_DECAY)
    solved = coordinate_ascent(log_likelihood, SPACE, 2.0, operations=OPERATIONS)
    np.testing.assert_allclose(climbed.marginals, solved.marginals, atol=1e-6)


def separable(support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    terms = np.random.default_rng(5).normal(size=(EDGES, OPERATIONS))
    return terms, terms[range(EDGES), support].sum(1)


def by_exact(log_likelihood: np.ndarray, temperature: float) -> Posterior:
    return exact(log_likelihood, SPACE, temperature, operations=OPERATIONS, adam=NO_DECAY)


def by_coordinate_ascent(log_likelihood: np.ndarray, temperature: float) -> Posterior:
    return coordinate_ascent(log_likelihood, SPACE, temperature, operations=OPERATIONS)


@pytest.mark.parametrize("infer", [by_exact, by_coordinate_ascent])
def test_a_separable_likelihood_gives_the_tempered_posterior(
    infer: Callable[[np.ndarray, float], Posterior],
) -> None:
    _, log_likelihood = separable(SPACE)
    bayes = np.exp(log_likelihood / 0.5)
    np.testing.assert_allclose(infer(log_likelihood, 0.5).probabilities, bayes / bayes.sum(), atol=1e-7)


def by_score_function(log_likelihood: np.ndarray, temperature: float) -> Posterior:
    index = {tuple(architecture): i for i, architecture in enumerate(SPACE)}

    def lookup(architectures: np.ndarray, batch: np.ndarray) -> np.ndarray:
        return log_likelihood[[index[tuple(architecture)] for architecture in architectures]] * len(batch) / 50

    rng, adam = np.random.default_rng(9), Adam(learning_rate=0.03, weight_decay=0)
    return score_function(lookup, SPACE, 50, temperature, rng, operations=OPERATIONS, epochs=200, adam=adam)


@pytest.mark.parametrize("infer", [by_exact, by_coordinate_ascent, by_score_function])
def test_temperature_goes_from_the_best_architecture_to_the_prior(
    infer: Callable[[np.ndarray, float], Posterior],
) -> None:
    _, log_likelihood = separable(SPACE)
    cold, hot = infer(log_likelihood, 0.01), infer(log_likelihood, 1e6)
    assert cold.probabilities[log_likelihood.argmax()] > 0.99
    np.testing.assert_allclose(hot.probabilities, 1 / len(SPACE), rtol=1e-4)


def test_on_a_restricted_support_exact_beats_every_perturbation() -> None:
    log_likelihood = interacting(HALF)
    found = exact(log_likelihood, HALF, 1.0, operations=OPERATIONS, adam=NO_DECAY)
    best = elbo(found.logits, HALF, log_likelihood, 1.0)
    rng = np.random.default_rng(6)
    for scale in (0.01, 0.1, 1.0):
        for _ in range(50):
            other = found.logits + scale * rng.normal(size=found.logits.shape)
            assert elbo(other, HALF, log_likelihood, 1.0) <= best + 1e-9


def test_minibatches_stand_for_all_examples() -> None:
    examples, temperature = 30, 4.0
    rng = np.random.default_rng(7)
    per_example = rng.normal(size=(len(SPACE), examples)) * 0.1 + interacting(SPACE)[:, None] * 4 / examples
    index = {tuple(architecture): i for i, architecture in enumerate(SPACE)}
    seen: list[np.ndarray] = []

    def log_likelihood(architectures: np.ndarray, batch: np.ndarray) -> np.ndarray:
        seen.append(batch)
        rows = [index[tuple(architecture)] for architecture in architectures]
        return per_example[np.ix_(rows, batch)].sum(1)

    found = score_function(
        log_likelihood, SPACE, examples, temperature, rng, operations=OPERATIONS, epochs=300, batch_size=7
    )
    expected, unscaled = (
        coordinate_ascent(per_example.sum(1), SPACE, t, operations=OPERATIONS).marginals
        for t in (temperature, temperature * examples / 7)
    )
    np.testing.assert_allclose(found.marginals, expected, atol=0.06)
    assert np.abs(unscaled - expected).max() > 0.2
    assert [len(batch) for batch in seen[:6]] == [7, 7, 7, 7, 2, 7]
    first, second = np.concatenate(seen[:5]), np.concatenate(seen[5:10])
    np.testing.assert_array_equal(np.sort(first), np.arange(examples))
    assert (first != second).any()


def test_the_same_seed_infers_the_same() -> None:
    log_likelihood = interacting(SPACE)
    index = {tuple(architecture): i for i, architecture in enumerate(SPACE)}

    def lookup(architectures: np.ndarray, batch: np.ndarray) -> np.ndarray:
        return log_likelihood[[index[tuple(architecture)] for architecture in architectures]] * len(batch)

    first, second = (
        score_function(lookup, SPACE, 50, 1.0, np.random.default_rng(8), operations=OPERATIONS, epochs=2)
        for _ in range(2)
    )
    assert first.logits.tobytes() == second.logits.tobytes()


def test_adam_decays_and_takes_steps_of_the_learning_rate() -> None:
    adam = Adam(learning_rate=0.1, weight_decay=0.5)
    start = np.array([1.0, -2.0])
    np.testing.assert_allclose(adam.climb(lambda x: np.array([3.0, -7.0]), start, 1), [1.1, -2.1])
    assert np.abs(adam.climb(lambda x: 2.0 - x, start, 3000) - 2.0 / 1.5).max() < 1e-6  # 2 − x − x / 2 = 0


def test_steps_that_lead_to_infinity_are_refused() -> None:
    with pytest.raises(NessBenchError, match="lower the learning rate, now 1e\\+300"), np.errstate(all="ignore"):
        exact(interacting(SPACE), SPACE, 1.0, operations=OPERATIONS, adam=Adam(learning_rate=1e300))


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("infer", [by_exact, by_coordinate_ascent, by_score_function])
def test_a_temperature_not_above_0_is_refused(
    infer: Callable[[np.ndarray, float], Posterior], temperature: float
) -> None:
    with pytest.raises(NessBenchError, match=f"temperature is {temperature}; it must be above 0"):
        infer(interacting(SPACE), temperature)


def test_bad_input_is_refused() -> None:
    log_likelihood = interacting(SPACE)
    impossible = np.where(np.arange(len(SPACE)) == 3, -np.inf, log_likelihood)
    with pytest.raises(NessBenchError, match="1 are not finite"):
        coordinate_ascent(impossible, SPACE, 1.0, operations=OPERATIONS)
    with pytest.raises(NessBenchError, match="give 13, one an architecture"):
        exact(log_likelihood, HALF, 1.0, operations=OPERATIONS)
    with pytest.raises(NessBenchError, match="whole space of 27 architectures, but the support has 13"):
        coordinate_ascent(interacting(HALF), HALF, 1.0, operations=OPERATIONS)
    with pytest.raises(NessBenchError, match="samples_per_step is 1; it must be at least 2"):
        score_function(lambda a, b: np.zeros(len(a)), SPACE, 10, 1.0, np.random.default_rng(0), samples_per_step=1)
    for name in ("epochs", "batch_size"):
        with pytest.raises(NessBenchError, match=f"{name} is 0; it must be at least 1"):
            score_function(lambda a, b: np.zeros(len(a)), SPACE, 10, 1.0, np.random.default_rng(0), **{name: 0})
