import itertools

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling.k_dpp import draw, residual_cosine

LIMIT = {9: 27.9, 19: 43.8}
"""The 99.9 % quantile of chi-square, by degrees of freedom."""


def cosines(items: int, dimensions: int, seed: int) -> np.ndarray:
    features = np.random.default_rng(seed).normal(size=(items, dimensions)) + 0.5
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features @ features.T


def by_definition(quality: np.ndarray, similarity: np.ndarray, k: int) -> dict[tuple[int, ...], float]:
    """P of every subset."""
    L = np.sqrt(np.outer(quality, quality)) * similarity
    subsets = itertools.combinations(range(len(quality)), k)
    weights = {subset: max(np.linalg.det(L[np.ix_(subset, subset)]), 0) for subset in subsets}
    return {subset: weight / sum(weights.values()) for subset, weight in weights.items()}


def chi_square(drawn: np.ndarray, probabilities: dict[tuple[int, ...], float]) -> float:
    counts = dict.fromkeys(probabilities, 0)
    for row in np.sort(drawn, 1).tolist():
        counts[tuple(row)] += 1
    expected = {subset: p * len(drawn) for subset, p in probabilities.items()}
    return sum((counts[subset] - e) ** 2 / e for subset, e in expected.items())


def test_draws_follow_the_determinants() -> None:
    quality, similarity = np.array([3.0, 1.0, 0.5, 2.0, 1.0, 1.5]), cosines(6, 8, 0)
    probabilities = by_definition(quality, similarity, 3)
    drawn = draw(1e9 * quality, similarity, 3, np.random.default_rng(1), 20_000)
    assert drawn.shape == (20_000, 3)
    assert chi_square(drawn, probabilities) < LIMIT[19]
    indifferent = by_definition(quality, np.eye(6), 3)
    assert chi_square(drawn, indifferent) > 10 * LIMIT[19]  # that 20,000 draws can tell


def test_unlike_items_are_drawn_by_quality_alone() -> None:
    """P(S) ∝ Π quality, also where it spans eight orders."""
    quality = np.array([1.0, 0.3, 1e-8, 0.6, 0.1, 0.8])
    probabilities = {
        subset: np.prod(quality[list(subset)]) for subset in itertools.combinations([0, 1, 3, 4, 5], 2)
    }  # pairs with the third item are too rare to come
    total = sum(probabilities.values())
    drawn = draw(quality, np.eye(6), 2, np.random.default_rng(2), 20_000)
    assert chi_square(drawn, {subset: p / total for subset, p in probabilities.items()}) < LIMIT[9]


def test_many_items_are_drawn_evenly() -> None:
    """Among 400 alike in all, where e_15 of the eigenvalues is about 10^27."""
    drawn = draw(np.full(400, 1e-30), np.eye(400), 15, np.random.default_rng(3), 400)
    assert all(len(set(row)) == 15 for row in drawn.tolist())
    counts, expected = np.bincount(drawn.ravel(), minlength=400), 15.0
    # Counts are binomial(400, 15/400); 399 degrees of freedom have the 99.9 % quantile 491.
    assert ((counts - expected) ** 2).sum() / (expected * (1 - 15 / 400)) < 491


def test_as_many_as_there_are_come_all() -> None:
    drawn = draw(np.array([1.0, 1e-3, 5.0]), cosines(3, 4, 4), 3, np.random.default_rng(4), 50)
    np.testing.assert_array_equal(np.sort(drawn, 1), np.tile([0, 1, 2], (50, 1)))


def test_copies_are_never_drawn_together() -> None:
    similarity = np.repeat(np.repeat(cosines(3, 5, 5), 2, 0), 2, 1)  # items 0 and 1, 2 and 3, 4 and 5
    quality = np.array([1.0, 2.0, 1.0, 1.0, 0.5, 3.0])
    for k in (2, 3):
        drawn = draw(quality, similarity, k, np.random.default_rng(6), 2000)
        assert all(len(set(row)) == k for row in (drawn // 2).tolist())
    with pytest.raises(NessBenchError, match="4 items were asked for, but only 3 are numerically independent"):
        draw(quality, similarity, 4, np.random.default_rng(0), 1)


def test_an_item_without_quality_is_never_drawn() -> None:
    quality = np.array([1.0, 0.0, 1.0, 1.0])
    drawn = draw(quality, cosines(4, 6, 7), 3, np.random.default_rng(7), 100)
    assert set(drawn.ravel().tolist()) == {0, 2, 3}
    with pytest.raises(NessBenchError, match="only 0 are numerically independent"):
        draw(np.zeros(4), np.eye(4), 1, np.random.default_rng(0), 1)


def test_the_same_seed_draws_the_same() -> None:
    first, second = (draw(np.ones(20), cosines(20, 30, 8), 5, np.random.default_rng(8), 10) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_residual_cosine_is_the_cosine_of_residuals() -> None:
    rng = np.random.default_rng(9)
    predictions, labels = rng.dirichlet(np.ones(4), size=(5, 450)).astype(np.float32), rng.integers(0, 4, 450)
    found = residual_cosine(predictions, labels)
    residuals = [(member - np.eye(4)[labels]).ravel() for member in predictions]
    for i, j in np.ndindex(5, 5):
        cosine = residuals[i] @ residuals[j] / np.linalg.norm(residuals[i]) / np.linalg.norm(residuals[j])
        assert found[i, j] == pytest.approx(cosine, abs=1e-12)
    assert (found.diagonal() == 1).all()
    copies = residual_cosine(predictions[[0, 1, 1, 2, 0]], labels)
    assert np.linalg.eigvalsh(copies)[0] == pytest.approx(0, abs=1e-12)
    assert copies[0, 4] == pytest.approx(1, abs=1e-15)


def test_a_member_that_never_errs_is_like_no_other() -> None:
    labels = np.array([0, 1, 1])
    predictions = np.stack([np.eye(2)[labels], np.full((3, 2), 0.5), 1 - np.eye(2)[labels]])
    np.testing.assert_allclose(residual_cosine(predictions, labels), [[1, 0, 0], [0, 1, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    ("quality", "similarity", "k", "message"),
    [
        (np.ones(3), np.eye(3), 4, "4 of 3 items were asked for; ask for 1 to 3"),
        (np.ones(3), np.eye(3), 0, "0 of 3 items"),
        (np.array([1, -1, np.nan]), np.eye(3), 2, "2 entries that are negative or NaN and 0 infinite"),
        (np.array([1, 1, np.inf]), np.eye(3), 2, "0 entries that are negative or NaN and 1 infinite"),
        (np.ones((3, 1)), np.eye(3), 2, r"quality has shape \(3, 1\)"),
        (np.ones(3), np.eye(4), 2, r"one for each pair of 3 architectures: shape \(3, 3\)"),
        (np.ones(3), np.eye(3) + np.eye(3, k=1), 2, "differs from its transpose by 1"),
        (np.ones(3), 2 * np.ones((3, 3)) - np.eye(3), 2, "has the eigenvalue -1"),
        (np.ones(3), np.diag([1.0, 2.0, 1.0]), 2, "has 1 to 2 on its diagonal; it must be 1"),
    ],
)
def test_bad_input_is_refused(quality: np.ndarray, similarity: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(NessBenchError, match=message):
        draw(quality, similarity, k, np.random.default_rng(0), 1)


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (np.ones((2, 3)), np.zeros(3, np.int64), r"predictions have shape \(2, 3\) and labels \(3,\)"),
        (np.ones((2, 3, 2)), np.zeros(4, np.int64), r"and labels \(4,\); give \[members, examples, classes\]"),
        (np.ones((2, 3, 2)), np.array([0, 1, 2]), "labels are 0 to 2; allowed: 0 to 1"),
        (np.full((2, 3, 2), np.nan), np.array([0, 1, 1]), "not finite"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(predictions: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(NessBenchError, match=message):
        residual_cosine(predictions, labels)
