"""What the samplers that compare predictions begin with: a pool of architectures and what these predict."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import Architecture, canonical
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
    """Functions drawn from the posterior without replacement, and their inherited-weight predictions.

    A function is all architectures that are the same network once they are trained. It is drawn in proportion to their
    probability together, one of them in proportion to its own. So that the pool stands for the whole posterior Q over
    functions, each function c counts Q_c / π_c in it, where π_c is the probability that it is drawn: with Gumbel noise,
    1 − exp(−Q_c exp(−κ)), κ being the largest perturbed log-probability outside of the pool (Duffield, Lund & Thorup,
    "Priority sampling", 2007; Kool, van Hoof & Welling, ICML 2019). Means over the pool are then unbiased before they
    are normalised.

    Args:
        posterior: to draw from.
        supernet: is paid for the predictions.
        size: functions at most.
        members: of the ensembles that are to be drawn from the pool.
        rng: of the draw.

    Returns:
        The posterior on the pool, and class probabilities float32 [size, examples, classes].

    Raises:
        BudgetExhausted: the predictions do not fit.
        NessBenchError: the pool has fewer functions than an ensemble has members.
    """
    functions = [canonical(tuple(architecture)) for architecture in posterior.support.tolist()]
    mass: Counter[Architecture] = Counter()
    for function, probability in zip(functions, posterior.probabilities.tolist(), strict=True):
        mass[function] += probability
    # Gumbel-top-k: the order of log q + Gumbel noise is that of draws without replacement, of architectures and, by the
    # first of each, of functions.
    perturbed = posterior.log_probabilities + rng.gumbel(size=len(functions))
    first: dict[Architecture, int] = {}
    for row in np.argsort(-perturbed).tolist():
        first.setdefault(functions[row], row)
    rows = list(first.values())
    if min(size, len(rows)) < members:
        raise NessBenchError(
            f"a pool of {min(size, len(rows))} architectures cannot give ensembles of {members}; set pool to at least "
            f"{members}, or ask for fewer members"
        )
    threshold = perturbed[rows[size]] if size < len(rows) else -np.inf
    drawn = np.array(rows[:size])
    log_mass = np.log([mass[functions[row]] for row in drawn])
    log_inclusion = np.log(-np.expm1(-np.exp(log_mass - threshold)))
    own = posterior.one_hots[drawn] @ posterior.logits.ravel()
    pool = Posterior(posterior.logits, posterior.support[drawn], log_mass - log_inclusion - own)
    return pool, supernet.predict(pool.support)
