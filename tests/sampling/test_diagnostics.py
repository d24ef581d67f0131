import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import binom, entropy

from ness_bench.errors import NessBenchError
from ness_bench.sampling import monte_carlo
from ness_bench.sampling.diagnostics import (
    BANDWIDTH,
    distinct_classes,
    effective_sample_size,
    expected_kernel,
    hamming,
    kl,
    squared_mmd,
    total_variation,
)
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, NONE, SKIP, architectures

EDGES, OPERATIONS = 3, 3
SPACE = np.random.default_rng(0).permutation(list(itertools.product(range(OPERATIONS), repeat=EDGES))).astype(np.int8)
SIZE = len(SPACE)
SKEWED = np.random.default_rng(1).dirichlet(np.full(SIZE, 0.3))
NAS_BENCH_201 = np.array(architectures(), np.int8)

POOL = np.array([3, 3, 3, 3, 8, 8, 11, 20])
"""Architectures as often as the distribution `OF_POOL` has eighths of them."""
OF_POOL = np.bincount(POOL, minlength=SIZE) / len(POOL)
EVERY_DRAW = np.array(list(itertools.product(POOL, repeat=3)))
"""Three independent draws from `OF_POOL`: every outcome, as often as is its due."""


def kernel(bandwidth: float) -> np.ndarray:
    """k of every pair of architectures, edge by edge."""
    matrix = np.empty((SIZE, SIZE))
    for i, j in np.ndindex(matrix.shape):
        matrix[i, j] = np.exp(-sum(a != b for a, b in zip(SPACE[i], SPACE[j], strict=True)) / bandwidth)
    return matrix


@settings(deadline=None, derandomize=True, max_examples=50)
@given(seed=st.integers(0, 2**32), spread=st.sampled_from([0.1, 3.0, 100.0]))
def test_distances_between_distributions(seed: int, spread: float) -> None:
    log_q, log_p = log_softmax(spread * np.random.default_rng(seed).normal(size=(2, 40)), axis=-1)
    q, p = np.exp(log_q), np.exp(log_p)
    divergence, distance = kl(log_q, log_p), total_variation(log_q, log_p)
    assert divergence == pytest.approx(entropy(q, p), abs=1e-12)
    assert distance == pytest.approx(sum(max(a - b, 0) for a, b in zip(q, p, strict=True)), abs=1e-12)
    assert 0 <= distance <= 1 + 1e-12
    assert distance**2 <= divergence / 2 + 1e-12  # Pinsker
    assert kl(log_p, log_p) == total_variation(log_p, log_p) == 0


def test_distances_where_an_architecture_is_impossible() -> None:
    with np.errstate(divide="ignore"):
        some, all_three = np.log([0.5, 0.5, 0.0]), np.log([0.25, 0.25, 0.5])
    assert kl(some, all_three) == pytest.approx(np.log(2))
    assert kl(all_three, some) == np.inf
    assert total_variation(some, all_three) == total_variation(all_three, some) == 0.5


@pytest.mark.parametrize("bandwidth", [0.3, BANDWIDTH, 50.0])
def test_the_discrepancy_is_the_quadratic_form_of_the_kernel(bandwidth: float) -> None:
    matrix, drawn = kernel(bandwidth), np.random.default_rng(2).integers(SIZE, size=(2, 4, 5))
    expected = expected_kernel(SKEWED, SPACE, operations=OPERATIONS, bandwidth=bandwidth)
    np.testing.assert_allclose(expected, matrix @ SKEWED)
    found = squared_mmd(drawn, SKEWED, SPACE, operations=OPERATIONS, bandwidth=bandwidth)
    assert found.shape == (2, 4)
    for place in np.ndindex(2, 4):
        difference = np.bincount(drawn[place], minlength=SIZE) / 5 - SKEWED
        assert found[place] == pytest.approx(difference @ matrix @ difference)


def test_the_discrepancy_compares_marginals_of_sets_of_edges() -> None:
    """As the argument for the bandwidth has it; the shares that it names are those of 6 edges."""
    drawn, c = np.array([0, 4, 4, 9]), np.exp(-1 / BANDWIDTH)
    empirical, total = np.bincount(drawn, minlength=SIZE) / 4, 0.0
    for kept in itertools.product([True, False], repeat=EDGES):
        weight = np.prod([1 - c if keep else c for keep in kept])
        for values in {tuple(row) for row in SPACE[:, list(kept)].tolist()}:
            there = (SPACE[:, list(kept)] == values).all(1)
            total += weight * (empirical[there].sum() - SKEWED[there].sum()) ** 2
    assert squared_mmd(drawn, SKEWED, SPACE, operations=OPERATIONS) == pytest.approx(total)
    assert 6 * (1 - c) == pytest.approx(2.4, abs=0.05)
    assert binom.pmf([2, 3], 6, 1 - c).sum() == pytest.approx(0.59, abs=0.005)


@pytest.mark.parametrize("bandwidth", [0.3, 0.5, 1.0, BANDWIDTH, 4.0, 8.0, 50.0])
def test_a_distribution_lies_at_no_distance_from_itself(bandwidth: float) -> None:
    """Not even at one below 0, where rounding would bring it at some of the bandwidths."""
    own, other = (
        squared_mmd(POOL, probabilities, SPACE, operations=OPERATIONS, bandwidth=bandwidth)
        for probabilities in (OF_POOL, SKEWED)
    )
    assert 0 <= own < 1e-15 < other


def test_the_expected_discrepancy_of_independent_draws() -> None:
    found = squared_mmd(EVERY_DRAW, OF_POOL, SPACE, operations=OPERATIONS).mean()
    assert found == pytest.approx((1 - OF_POOL @ kernel(BANDWIDTH) @ OF_POOL) / 3)


def test_the_expected_kernel_of_the_prior_on_all_architectures() -> None:
    expected = expected_kernel(np.full(15_625, 1 / 15_625), NAS_BENCH_201)
    np.testing.assert_allclose(expected, ((1 + 4 * np.exp(-1 / BANDWIDTH)) / 5) ** 6)


def test_independent_draws_are_worth_their_number() -> None:
    def size(drawn: np.ndarray) -> float:
        return effective_sample_size(drawn, OF_POOL, SPACE, operations=OPERATIONS)

    assert size(EVERY_DRAW) == pytest.approx(3)
    assert size(EVERY_DRAW[:, [0, 0, 0]]) == pytest.approx(1)  # copies of one draw
    assert size(POOL[None]) > 1e10  # the mean itself, up to rounding


def test_draws_without_replacement_are_worth_more() -> None:
    """The variance of their mean has the factor (N − n) / (N − 1)."""
    n, uniform = 2, np.full(SIZE, 1 / SIZE)
    pairs = np.array(list(itertools.permutations(range(SIZE), n)))
    found = effective_sample_size(pairs, uniform, SPACE, operations=OPERATIONS)
    assert found == pytest.approx(n * (SIZE - 1) / (SIZE - n))


def test_a_sampler_that_misses_the_target_is_worth_little_however_much_it_draws() -> None:
    fixed = np.full((3, 100), 7)
    one_hots = np.array([[float(o == operation) for operation in row for o in range(OPERATIONS)] for row in SPACE])
    mean = SKEWED @ one_hots
    variance = sum(SKEWED @ (column - column @ SKEWED) ** 2 for column in one_hots.T)
    expected = variance / np.sum((one_hots[7] - mean) ** 2)
    assert effective_sample_size(fixed, SKEWED, SPACE, operations=OPERATIONS) == pytest.approx(expected)
    assert expected < 1


def test_a_target_of_one_architecture_is_met_without_error() -> None:
    assert effective_sample_size(np.full((2, 5), 7), np.eye(SIZE)[7], SPACE, operations=OPERATIONS) == np.inf


def test_monte_carlo_draws_of_nas_bench_201() -> None:
    posterior = Posterior(np.random.default_rng(3).normal(size=(6, 5)), NAS_BENCH_201)
    drawn, p = monte_carlo.draw(posterior, 5, np.random.default_rng(4), 2000), posterior.probabilities
    assert effective_sample_size(drawn, p, NAS_BENCH_201) == pytest.approx(5, rel=0.03)
    collision = (posterior.marginals**2).sum(1)  # that two draws agree on an edge; the edges are independent
    similarity = np.prod(collision + (1 - collision) * np.exp(-1 / BANDWIDTH))
    assert squared_mmd(drawn, p, NAS_BENCH_201).mean() == pytest.approx((1 - similarity) / 5, rel=0.03)
    assert hamming(drawn, NAS_BENCH_201).mean() == pytest.approx((1 - collision).sum(), rel=0.03)


def test_hamming_counts_edges_over_pairs() -> None:
    drawn = np.random.default_rng(5).integers(SIZE, size=(2, 3, 4))
    for place in np.ndindex(2, 3):
        pairs = itertools.combinations(SPACE[drawn[place]], 2)
        expected = np.mean([sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairs])
        assert hamming(drawn, SPACE)[place] == pytest.approx(expected)
    np.testing.assert_array_equal(hamming(drawn[..., :1], SPACE), np.zeros((2, 3)))


def test_members_that_compute_the_same_function_count_once() -> None:
    through_1, through_2 = (CONV_3X3, NONE, NONE, NONE, SKIP, NONE), (NONE, CONV_3X3, NONE, NONE, NONE, SKIP)
    with_a_loose_end = (CONV_3X3, CONV_1X1, NONE, NONE, SKIP, NONE)
    support = np.array([through_1, through_2, with_a_loose_end, (SKIP,) * 6], np.int8)
    drawn = np.array([[0, 1, 2], [3, 3, 3], [1, 3, 2]])
    np.testing.assert_array_equal(distinct_classes(drawn, support), [1, 1, 2])


def test_bad_input_is_refused() -> None:
    with pytest.raises(NessBenchError, match="whole space of 27 architectures, but the support has 26"):
        squared_mmd(np.zeros((1, 2), np.int64), SKEWED[1:], SPACE[1:], operations=OPERATIONS)
    with pytest.raises(NessBenchError, match="bandwidth is 0; it must be above 0"):
        expected_kernel(SKEWED, SPACE, operations=OPERATIONS, bandwidth=0)
