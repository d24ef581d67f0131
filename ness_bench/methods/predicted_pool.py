"""What the samplers that compare predictions begin with: a pool of architectures and what these predict."""

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import canonical
from ness_bench.tasks.task import Supernet

POOL = 100
"""Architectures in a pool, unless said otherwise: their passes cost half as much as the inference of α. (ours)"""


def require_pool(size: int) -> None:
    """Refuse a pool of nothing.

    Raises:
        NessBenchError: the size is below 1.
    """
    if size < 1:
        raise NessBenchError(f"pool was given as {size}; it must be at least 1")


def predicted_pool(
    posterior: Posterior, supernet: Supernet, size: int, members: int, rng: np.random.Generator
) -> tuple[Posterior, npt.NDArray[np.float32]]:
    """Architectures drawn from the posterior without replacement, and their inherited-weight predictions.

    Of architectures that are the same function, the same network once they are trained, the first stands for all.

    The pool is drawn from the posterior, and samplers weigh it by the posterior again. That makes no difference where
    a pool holds nearly all probability: at temperature 1 on the bank `fashion`, 98 % in 100. Where not, probable
    architectures come more often than the posterior has them: at temperature 10, draws have 1.4 nats more of log q.

    Args:
        posterior: to draw from.
        supernet: is paid for the predictions.
        size: architectures at most.
        members: of the ensembles that are to be drawn from the pool.
        rng: of the draw.

    Returns:
        The posterior restricted to the pool, and class probabilities float32 [size, examples, classes].

    Raises:
        BudgetExhausted: the predictions do not fit.
        NessBenchError: the pool has fewer architectures than an ensemble has members.
    """
    # Gumbel-top-k: the order of log q + Gumbel noise is that of draws without replacement.
    order = np.argsort(-(posterior.log_probabilities + rng.gumbel(size=len(posterior.support))))
    networks, rows = set(), []
    for row in order:
        network = canonical(tuple(posterior.support[row].tolist()))
        if network not in networks:
            networks.add(network)
            rows.append(row)
        if len(rows) == size:
            break
    if len(rows) < members:
        raise NessBenchError(
            f"a pool of {len(rows)} architectures cannot give ensembles of {members}; set pool to at least {members}, "
            "or ask for fewer members"
        )
    pool = Posterior(posterior.logits, posterior.support[np.array(rows)])
    return pool, supernet.predict(pool.support)
