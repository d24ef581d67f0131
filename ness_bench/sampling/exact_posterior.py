"""The posterior over architectures itself, where all of them can be enumerated: what q_α stands in for.

    p(A) ∝ exp(log p(D_val | A) / temperature)   for A in the support, under a uniform prior

q_α treats edges as independent and this does not, so that KL(q_α ‖ p) is what the approximation costs.
"""

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import require_temperature
from ness_bench.sampling.posterior import Floats, log_softmax


def log_likelihood_of(accuracy: Floats, examples: int) -> Floats:
    """log p(D_val | A) where only accuracies are known, as in a table: examples * log(accuracy), nats.

    This is what the labels would have if a network gave the right class a probability equal to its accuracy on
    every example. An accuracy below half an example counts as half an example, which keeps the logarithm finite.
    Source: ours.

    Args:
        accuracy: shares, not percent, [size].
        examples: that the accuracies were measured on.

    Returns:
        [size].

    Raises:
        NessBenchError: an accuracy lies outside 0 to 1 or is NaN.
    """
    if not ((accuracy >= 0) & (accuracy <= 1)).all():
        raise NessBenchError(
            f"the accuracies reach from {accuracy.min():g} to {accuracy.max():g}; give shares from 0 to 1, none of "
            "them NaN (percent divided by 100)"
        )
    log_accuracy: Floats = np.log(np.maximum(accuracy.astype(np.float64), 0.5 / examples))
    return examples * log_accuracy


def tempered(log_likelihood: Floats, temperature: float) -> Floats:
    """log p of every architecture in the support, [size], nats; normalised.

    Args:
        log_likelihood: log p(D_val | A), [size].
        temperature: above 0; infinity gives the prior.

    Raises:
        NessBenchError: the temperature is not above 0, or a log-likelihood is not finite.
    """
    require_temperature(temperature)
    if not np.isfinite(log_likelihood).all():
        raise NessBenchError("a log-likelihood is not finite; clip probabilities away from 0 before the logarithm")
    return log_softmax(log_likelihood.astype(np.float64) / temperature)
