"""Gram matrices of what architectures predict: what the samplers that look at predictions ask of theirs."""

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Floats

TOLERANCE = 1e-6
"""By how much a matrix may miss symmetry, or an eigenvalue 0, relative to the largest diagonal entry: what sums of
float32 products over some 10⁴ predictions leave. (ours)"""


def require_gram(matrix: Floats, size: int, name: str) -> Floats:
    """The matrix in float64, once it is known to be one of inner products, up to `TOLERANCE`.

    Args:
        matrix: [size, size].
        size: how many architectures it must compare.
        name: of the matrix, for the message.

    Raises:
        NessBenchError: it has another shape, or is not finite, symmetric and positive semi-definite.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise NessBenchError(
            f"{name} has shape {matrix.shape}{'' if np.isfinite(matrix).all() else ' and is not finite everywhere'}; "
            f"give finite numbers, one for each pair of {size} architectures: shape ({size}, {size})"
        )
    slack = TOLERANCE * np.abs(matrix.diagonal()).max()
    asymmetry = np.abs(matrix - matrix.T).max()
    if asymmetry > slack:
        raise NessBenchError(f"{name} differs from its transpose by {asymmetry:g}; give a symmetric matrix")
    try:
        np.linalg.cholesky(matrix + max(slack, np.finfo(np.float64).tiny) * np.eye(size))
    except np.linalg.LinAlgError:
        raise NessBenchError(
            f"{name} has the eigenvalue {np.linalg.eigvalsh(matrix)[0]:g}; give a positive semi-definite matrix, such "
            "as inner products of predictions"
        ) from None
    return matrix
