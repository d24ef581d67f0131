"""How close a sampler comes to its target, known exactly because all architectures can be enumerated.

Two distributions over a support are compared by `kl` and `total_variation`. Drawn ensembles are compared with the
distribution that they should stand for by `squared_mmd`, how far the members' empirical distribution lies from it,
and by `effective_sample_size`, how many independent draws they are worth. How much the members of an ensemble
differ from each other is told by `hamming` and `distinct_classes`.

Ensembles are indices into the support, as samplers draw them; architectures are int8 [size, edges].
"""

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Architectures, Floats, Posterior
from ness_bench.spaces.nas_bench_201 import OPERATIONS, canonical

Ensembles = npt.NDArray[np.int64]
"""Indices into the support, [..., n]: an ensemble of n members a row."""

BANDWIDTH = 2.0
"""h of the kernel k(a, b) = exp(−(edges in which a and b differ) / h).

With c = exp(−1/h), k is a sum over sets S of edges of c^(edges − |S|) (1 − c)^|S| [a and b agree on S]. So the squared
MMD is the mean, over sets that take in each edge with probability 1 − c, of the squared distance between the joint
distributions of the edges in the set. Small h compares whole architectures only, and any five distinct ones of 15,625
then look alike; large h compares single edges only, and misses their interactions. At h = 2 a set has .39 * 6 = 2.4
edges on average, and 59 % of the sets are pairs or triples. (ours)
"""


def kl(log_q: Floats, log_p: Floats) -> float:
    """KL(q ‖ p) in nats, from the log-probabilities [size] of one support; infinite where q > 0 = p."""
    q = np.exp(log_q)
    held = q > 0  # elsewhere 0 log 0 = 0, also if the logarithm is −∞
    return float(q[held] @ (log_q[held] - log_p[held]))


def total_variation(log_q: Floats, log_p: Floats) -> float:
    """Half of Σ |q − p|, from the log-probabilities [size] of one support: 0 to 1."""
    return float(np.abs(np.exp(log_q) - np.exp(log_p)).sum() / 2)


def _differing_edges(members: Architectures) -> npt.NDArray[np.int64]:
    """In how many edges any two members of an ensemble differ: [..., n, edges] to [..., n, n]."""
    differing: npt.NDArray[np.int64] = (members[..., :, None, :] != members[..., None, :, :]).sum(-1)
    return differing


def expected_kernel(
    probabilities: Floats,
    support: Architectures,
    *,
    operations: int = len(OPERATIONS),
    bandwidth: float = BANDWIDTH,
) -> Floats:
    """E_{A~p} k(a, A) of every architecture a in the support, [size]; see `BANDWIDTH` for k.

    k is a product over edges of 1 if they agree and c = exp(−1/h) if not. So the expectation is taken one edge at
    a time, for all a together.

    Args:
        probabilities: p, [size].
        support: the whole space in any order, int8 [size, edges].
        operations: how many an edge can choose from.
        bandwidth: h.

    Raises:
        NessBenchError: the support is not the whole space, or the bandwidth is not above 0.
    """
    edges = support.shape[1]
    if not Posterior.uniform(support, operations).is_factorised:
        raise NessBenchError(
            f"the discrepancy needs the whole space of {operations**edges} architectures, "
            f"but the support has {len(support)}; give every architecture, those outside with probability 0"
        )
    if not bandwidth > 0:
        raise NessBenchError(f"the bandwidth is {bandwidth}; it must be above 0")
    c = np.exp(-1 / bandwidth)
    table = np.empty([operations] * edges)
    table[tuple(support.T)] = probabilities
    for edge in range(edges):
        table = (1 - c) * table + c * table.sum(edge, keepdims=True)
    expected: Floats = table[tuple(support.T)]
    return expected


def squared_mmd(
    drawn: Ensembles,
    probabilities: Floats,
    support: Architectures,
    *,
    operations: int = len(OPERATIONS),
    bandwidth: float = BANDWIDTH,
) -> Floats:
    """The squared maximum mean discrepancy between the members' empirical distribution and p, ensemble by ensemble.

        MMD² = 1/n² Σ_ij k(a_i, a_j) − 2/n Σ_i E k(a_i, A) + E k(A, A')   with A, A' ~ p independent

    It is exact, and 0 only where the two are equal. For n independent draws from p its expectation is
    (1 − E k(A, A')) / n. Source: Gretton et al., "A kernel two-sample test", JMLR 2012.

    Args:
        drawn: [..., n].
        probabilities: p, [size].
        support: the whole space in any order, int8 [size, edges].
        operations: how many an edge can choose from.
        bandwidth: h; see `BANDWIDTH`.

    Returns:
        [...].

    Raises:
        NessBenchError: see `expected_kernel`.
    """
    expected = expected_kernel(probabilities, support, operations=operations, bandwidth=bandwidth)
    within = np.exp(-_differing_edges(support[drawn]) / bandwidth).mean((-1, -2))
    squared: Floats = within - 2 * expected[drawn].mean(-1) + probabilities @ expected
    return np.maximum(squared, 0)  # rounding may leave −1e-16


def effective_sample_size(
    drawn: Ensembles, probabilities: Floats, support: Architectures, *, operations: int = len(OPERATIONS)
) -> float:
    """How many independent draws from p have a mean as close to p's as an ensemble's members have.

        ESS = Σ_d Var_p(x_d) / E Σ_d (x̄_d − E_p x_d)²   with x = onehot(A), the last expectation over ensembles

    n independent draws have n. Members that hold each other apart can have more; a sampler that misses p has
    less, and its bias keeps the ESS bounded however many it draws. Only the marginals of single edges count. From
    few ensembles the estimate is too large on average, as the reciprocal of a noisy mean; by orders of magnitude if
    p is so certain of one architecture that no other was drawn.

    Source: the ratio of the variance of one draw to the mean squared error is the usual definition (Elvira, Martino
    & Robert, "Rethinking the effective sample size", 2022); to sum both over the coordinates is ours.

    Args:
        drawn: [ensembles, n].
        probabilities: p, [size].
        support: int8 [size, edges].
        operations: how many an edge can choose from.

    Returns:
        Draws; infinity if no ensemble errs.
    """
    one_hots = Posterior.uniform(support, operations).one_hots
    mean = probabilities @ one_hots
    variance = float((mean * (1 - mean)).sum())
    squared_error = float(((one_hots[drawn].mean(1) - mean) ** 2).sum(-1).mean())
    return variance / squared_error if squared_error > 0 else np.inf


def hamming(drawn: Ensembles, support: Architectures) -> Floats:
    """In how many edges two members differ, the mean over an ensemble's pairs: [..., n] to [...]; 0 for n = 1."""
    n = drawn.shape[-1]
    mean: Floats = _differing_edges(support[drawn]).sum((-1, -2)) / max(n * (n - 1), 1)
    return mean


def distinct_classes(drawn: Ensembles, support: Architectures) -> npt.NDArray[np.int64]:
    """How many functional classes of NAS-Bench-201 an ensemble's members come from: [ensembles, n] to [ensembles]."""
    return np.array([len({canonical(tuple(member)) for member in members}) for members in support[drawn].tolist()])
