"""k-determinantal point processes: ensembles whose members are good and unlike each other, drawn exactly.

    P(S) ∝ det L_S = Π_{i in S} quality_i · det K_S    over subsets S of k items,    L = diag(√quality) K diag(√quality)

K holds similarities, with 1 on its diagonal. det K_S is the squared volume that the items' features span: 1 if they are
orthogonal, 0 if two are alike. Source: Kulesza & Taskar, "k-DPPs: Fixed-size determinantal point processes", ICML 2011.
To draw ensembles of networks so is ours; `residual_cosine` is the similarity meant for it.
"""

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.gram import require_gram
from ness_bench.sampling.posterior import Floats

CHUNK = 200
"""Examples whose residuals are in memory at a time."""


def residual_cosine(predictions: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> Floats:
    """How alike members err: the cosine of their residuals p − onehot(label), over all examples and classes.

    It is 1 on the diagonal and positive semi-definite. The Brier score of an ensemble is the squared norm of its
    members' mean residual, so that members with a small or negative cosine gain most from each other. A member
    without residuals counts as like no other. Source: ours.

    Args:
        predictions: class probabilities, [members, examples, classes].
        labels: [examples].

    Returns:
        float64 [members, members].

    Raises:
        NessBenchError: the shapes do not match, a label is no class, or a probability is not finite.
    """
    if predictions.ndim != 3 or labels.shape != predictions.shape[1:2]:
        raise NessBenchError(
            f"predictions have shape {predictions.shape} and labels {labels.shape}; give [members, examples, classes] "
            "and [examples]"
        )
    members, examples, classes = predictions.shape
    if examples and not 0 <= labels.min() <= labels.max() < classes:
        raise NessBenchError(f"labels are {labels.min()} to {labels.max()}; allowed: 0 to {classes - 1}")
    gram = np.zeros((members, members))
    for start in range(0, examples, CHUNK):
        chunk = slice(start, start + CHUNK)
        residuals = (predictions[:, chunk] - np.eye(classes)[labels[chunk]]).reshape(members, -1)
        gram += residuals @ residuals.T
    if not np.isfinite(gram).all():
        raise NessBenchError("a predicted probability is not finite; give finite ones")
    norms = np.sqrt(gram.diagonal())
    correlation: Floats = gram / np.outer(norms, norms).clip(np.finfo(np.float64).tiny)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def draw(quality: Floats, similarity: Floats, k: int, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """`size` independent draws of `k` different items, [size, k]; their order means nothing.

    With L = Σ_m λ_m v_m v_mᵀ, k eigenvectors are drawn with probability ∝ Π λ_m, then k items from the determinantal
    process whose kernel is the projection onto their span, one by one: an item with probability ∝ its squared distance
    from the span of those drawn.

    Args:
        quality: at least 0, [items]. A factor changes nothing.
        similarity: K, [items, items].
        k: how many items.
        rng: draws.
        size: how many draws.

    Raises:
        NessBenchError: the quality is negative, not finite or not [items]; the similarity is not symmetric, positive
            semi-definite and 1 on the diagonal; or k is below 1, or above the numerical rank of L.
    """
    similarity = _require_usable(quality, similarity, k)
    root = np.sqrt(quality / max(quality.max(), np.finfo(np.float64).tiny))
    eigenvalues, eigenvectors = np.linalg.eigh(root[:, None] * similarity * root)
    kept = eigenvalues > len(quality) * np.finfo(np.float64).eps * eigenvalues[-1]
    _require_rank(int(kept.sum()), k)
    chosen = _choose_eigenvectors(np.log(eigenvalues[kept]), k, rng, size)
    return _draw_from_span(eigenvectors[:, kept].T[chosen], rng)


def _require_usable(quality: Floats, similarity: Floats, k: int) -> Floats:
    """The similarity in float64, once both and k are known to make sense."""
    if quality.ndim != 1 or not np.isfinite(quality).all() or not (quality >= 0).all():
        raise NessBenchError(
            f"the quality has shape {quality.shape}, {np.sum(~(quality >= 0))} entries that are negative or NaN and "
            f"{np.sum(np.isinf(quality))} infinite; give a finite number of at least 0 for each item"
        )
    if not 1 <= k <= len(quality):
        raise NessBenchError(f"{k} of {len(quality)} items were asked for; ask for 1 to {len(quality)}")
    similarity = require_gram(similarity, len(quality), "the similarity")
    if np.abs(similarity.diagonal() - 1).max() > 1e-6:
        low, high = similarity.diagonal().min(), similarity.diagonal().max()
        raise NessBenchError(
            f"the similarity has {low:g} to {high:g} on its diagonal; it must be 1: divide row and column i by √K_ii"
        )
    return similarity


def _require_rank(rank: int, k: int) -> None:
    if rank < k:
        raise NessBenchError(
            f"{k} items were asked for, but only {rank} are numerically independent; ask for fewer, or give "
            "items that are less alike and of a less uneven quality"
        )


def _choose_eigenvectors(log_eigenvalues: Floats, k: int, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    """`size` sets of k indices, each with probability ∝ the product of its eigenvalues: [size, k].

    From the last eigenvalue to the first: m is in the set with probability λ_m e_{j−1}(λ_1..λ_{m−1}) / e_j(λ_1..λ_m)
    if j are still to choose. The elementary symmetric polynomials e_j are sums of positive terms; their logarithms
    neither cancel nor overflow.
    """
    count = len(log_eigenvalues)
    log_e = np.full((k + 1, count + 1), -np.inf)
    log_e[0] = 0.0
    for j in range(1, k + 1):
        log_e[j, 1:] = np.logaddexp.accumulate(log_eigenvalues + log_e[j - 1, :-1])
    chosen = np.empty((size, k), np.int64)
    left = np.full(size, k)
    for m in range(count, 0, -1):
        open_draws = np.flatnonzero(left)
        to_choose = left[open_draws]
        probability = np.exp(log_eigenvalues[m - 1] + log_e[to_choose - 1, m - 1] - log_e[to_choose, m])
        taken = open_draws[rng.random(len(open_draws)) < probability]
        left[taken] -= 1
        chosen[taken, left[taken]] = m - 1
    return chosen


def _draw_from_span(vectors: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A set of k items for each k orthonormal vectors, with P(S) = det (VᵀV)_S: [size, k, items] to [size, k]."""
    size, k, _ = vectors.shape
    draws = np.arange(size)
    distances = (vectors**2).sum(1)  # squared, of each item's k coordinates from the span of those drawn
    rows = np.zeros_like(vectors)
    items = np.empty((size, k), np.int64)
    for step in range(k):
        cumulated = distances.cumsum(1)
        item = (cumulated > rng.random((size, 1)) * cumulated[:, -1:]).argmax(1)
        items[:, step] = item
        row = np.einsum("sk,ski->si", vectors[draws, :, item], vectors)
        row -= np.einsum("sk,ski->si", rows[draws, :step, item], rows[:, :step])
        rows[:, step] = row / np.sqrt(distances[draws, item])[:, None]
        distances = np.maximum(distances - rows[:, step] ** 2, 0)
        distances[draws, item] = 0
    return items
