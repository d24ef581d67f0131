"""Out-of-distribution detection: how well a score tells images of the data set from images of another one.

The usual score of an ensemble is its confidence, the largest class probability (Hendrycks & Gimpel, ICLR 2017), or the
negative entropy of its prediction.
"""

import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import TINY, Floats
from ness_bench.errors import NessBenchError


def confidence(probabilities: Floats) -> npt.NDArray[np.float64]:
    """The largest class probability, [..., classes] to [...]."""
    largest: npt.NDArray[np.float64] = probabilities.max(-1).astype(np.float64)
    return largest


def negative_entropy(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Σ_c p_c ln p_c in nats, [..., classes] to [...]."""
    shares = probabilities.astype(np.float64)
    sums: npt.NDArray[np.float64] = (shares * np.log(np.maximum(shares, TINY))).sum(-1)
    return sums


def auroc(inside: npt.ArrayLike, outside: npt.ArrayLike) -> float:
    """Probability that an image of the data set has a higher score than one of the other, ties half.

    That is the area under the receiver operating characteristic, and Mann & Whitney's U ÷ (images × images).

    Args:
        inside, outside: scores, float [images] each.

    Raises:
        NessBenchError: one of them is empty or not finite.
    """
    high, low = _scores(inside), _scores(outside)
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.sum() / (2 * len(high) * len(low)))


def fpr95(inside: npt.ArrayLike, outside: npt.ArrayLike) -> float:
    """Share of images of the other data set that are taken in where 95 % of those of the data set are, at least.

    The threshold is the highest at which that many score as high or higher.

    Args:
        inside, outside: scores, float [images] each.

    Raises:
        NessBenchError: one of them is empty or not finite.
    """
    high, low = _scores(inside), _scores(outside)
    kept = int(np.ceil(0.95 * len(high)))
    threshold = np.sort(high)[len(high) - kept]
    return float((low >= threshold).mean())


def _scores(given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    scores = np.asarray(given, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise NessBenchError(f"scores were given with the shape {scores.shape}; they must be finite, one an image")
    return scores
