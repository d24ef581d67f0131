"""Temperature scaling: a number, fitted on validation, makes an ensemble as sure as it is right (Guo et al., 2017)."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from ness_bench.ensembles.metrics import TINY, Floats, Integers, true_class

COLDEST, HOTTEST = 1e-2, 1e2
"""Temperatures between which the best is looked for; one that would lie beyond is the nearer of them."""


def fit_temperature(probabilities: Floats, labels: Integers) -> float:
    """The temperature of lowest NLL on a validation split.

    With β = 1 / T and the logits l = ln p, the NLL is convex in β (a log-sum-exp less a linear term), so that the zero
    of its slope, mean(Σ_c p_c(β) l_c − l_true), is the minimum.

    Args:
        probabilities: of an ensemble, [examples, classes].
        labels: int [examples].

    Returns:
        T above 1 makes an ensemble less sure, below 1 surer.
    """
    logits = _logits(probabilities)
    of_true = true_class(logits, labels).mean()

    def slope(log_temperature: float) -> float:
        scaled = _softmax(logits * np.exp(-log_temperature))
        return float((scaled * logits).sum(-1).mean() - of_true)

    coldest, hottest = np.log(COLDEST), np.log(HOTTEST)
    if slope(coldest) <= 0:  # the surer the better
        return COLDEST
    if slope(hottest) >= 0:
        return HOTTEST
    return float(np.exp(brentq(slope, coldest, hottest, xtol=1e-10)))


def at_temperature(probabilities: Floats, temperature: float) -> npt.NDArray[np.float64]:
    """softmax(ln p / T) of [examples, classes]; the class of highest probability stays the same."""
    return _softmax(_logits(probabilities) / temperature)


def _logits(probabilities: Floats) -> npt.NDArray[np.float64]:
    logits: npt.NDArray[np.float64] = np.log(np.maximum(probabilities, TINY, dtype=np.float64))
    return logits


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    exponentials: npt.NDArray[np.float64] = np.exp(logits - logits.max(-1, keepdims=True))
    exponentials /= exponentials.sum(-1, keepdims=True)
    return exponentials
