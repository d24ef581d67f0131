"""Metrics of an ensemble's predictions.

The ensemble predicts the (weighted) mean of its members' class probabilities, unless the mean of their logits is
asked for, and every metric scores that one prediction; only `member_accuracy`, `member_nll` and
`oracle_accuracy` look at the members one by one.

Inputs are `probabilities`, float [members, examples, classes], and `labels`, int [examples]. Sums over
examples run in float64.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]

TINY = float(np.finfo(np.float32).tiny)
"""Probabilities are raised to this before a logarithm, so one example costs at most 87.3 nats."""

AVERAGING = ("probabilities", "logits")
"""What of the members is averaged."""

BINS = 15
"""Of the expected calibration error, unless told otherwise."""


@dataclass(frozen=True)
class EnsembleMetrics:
    """The scores of one ensemble on one split; each but the NLLs and the Brier score lies in [0, 1].

    Attributes:
        accuracy: share of examples that the ensemble gets right.
        nll: negative log-likelihood of the ensemble, in nats an example.
        ece: expected calibration error of the ensemble.
        brier: Brier score of the ensemble, in [0, 2].
        disagreement: mean over pairs of members of the share of examples on which they differ.
        member_accuracy: unweighted mean of the members' accuracies.
        member_nll: unweighted mean of the members' NLLs.
        oracle_accuracy: share of examples that at least one member gets right.
    """

    accuracy: float
    nll: float
    ece: float
    brier: float
    disagreement: float
    member_accuracy: float
    member_nll: float
    oracle_accuracy: float


def evaluate(
    probabilities: Floats,
    labels: Integers,
    weights: npt.ArrayLike | None = None,
    averaging: str = "probabilities",
) -> EnsembleMetrics:
    """All metrics of the ensemble whose members predict `probabilities` and count by `weights`.

    Raises:
        NessBenchError: the weights do not sum to 1, or the averaging is unknown.
    """
    ensemble = ensemble_probabilities(probabilities, weights, averaging)
    predictions = probabilities.argmax(axis=-1)
    return EnsembleMetrics(
        accuracy=accuracy(ensemble, labels),
        nll=nll(ensemble, labels),
        ece=ece(ensemble, labels),
        brier=brier(ensemble, labels),
        disagreement=disagreement(predictions),
        member_accuracy=float(np.mean(predictions == labels)),
        member_nll=nll(probabilities, labels),
        oracle_accuracy=float(np.mean(np.any(predictions == labels, axis=0))),
    )


def ensemble_probabilities(
    probabilities: Floats, weights: npt.ArrayLike | None = None, averaging: str = "probabilities"
) -> npt.NDArray[np.float64]:
    """The ensemble's prediction: the mean of its members' probabilities, or the softmax of their mean logits.

    Args:
        probabilities: float [members, examples, classes].
        weights: float [members], summing to 1; None for the plain mean.
        averaging: one of `AVERAGING`. Logits are the log-probabilities, up to a constant that the softmax removes;
            probabilities are raised to `TINY` before the logarithm.

    Returns:
        float64 [examples, classes].

    Raises:
        NessBenchError: the weights do not sum to 1, or the averaging is unknown.
    """
    if averaging not in AVERAGING:
        raise NessBenchError(f'averaging was given as "{averaging}"; allowed: {", ".join(AVERAGING)}')
    if averaging == "logits":
        logits = np.log(np.maximum(probabilities, TINY, dtype=np.float64))
        geometric: npt.NDArray[np.float64] = np.exp(_mean(logits, weights))
        geometric /= geometric.sum(-1, keepdims=True)
        return geometric
    return _mean(probabilities, weights)


def _mean(of_members: Floats, weights: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """The weighted mean over members, [members, ...] to float64 [...].

    Raises:
        NessBenchError: the weights do not sum to 1.
    """
    mean: npt.NDArray[np.float64]
    if weights is None:
        mean = of_members.mean(axis=0, dtype=np.float64)
        return mean
    shares = np.asarray(weights, dtype=np.float64)
    if not np.isclose(shares.sum(), 1, atol=1e-6):
        raise NessBenchError(f"ensemble weights sum to {shares.sum():g} but must sum to 1; divide them by their sum")
    mean = np.einsum("m,m...->...", shares, of_members)
    return mean


def true_class(probabilities: Floats, labels: Integers) -> Floats:
    """The probability given to each example's true class: [..., examples, classes] to [..., examples]."""
    return probabilities[..., np.arange(len(labels)), labels]


def accuracy(probabilities: Floats, labels: Integers) -> float:
    """Share of right predictions among [..., examples, classes]; among equal probabilities the lowest class wins."""
    return float(np.mean(probabilities.argmax(axis=-1) == labels))


def nll(probabilities: Floats, labels: Integers) -> float:
    """Mean of −ln p(true class) over [..., examples, classes], in nats, probabilities raised to `TINY` at least."""
    likelihoods = true_class(probabilities, labels).astype(np.float64)
    return float(-np.mean(np.log(np.maximum(likelihoods, TINY))))


def brier(probabilities: Floats, labels: Integers) -> float:
    """Mean over examples of Σ_c (p_c − 1[c = label])², for [examples, classes] (Brier, 1950)."""
    targets = np.eye(probabilities.shape[-1])[labels]
    return float(np.mean(np.sum((probabilities - targets) ** 2, axis=-1)))


def ece(probabilities: Floats, labels: Integers, bins: int = BINS) -> float:
    """Expected calibration error of [examples, classes] (Guo et al., ICML 2017, eq. 3).

    Σ_b |B_b| / examples · |accuracy(B_b) − confidence(B_b)|, over bins of equal width on the confidence,
    the largest probability. A bin holds its upper edge, not its lower.
    """
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == labels
    gaps = np.bincount(calibration_bins(confidence, bins), weights=right - confidence)
    return float(np.sum(np.abs(gaps)) / len(labels))


def calibration_bins(confidence: Floats, bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin of the calibration error, from 0 on, that each confidence falls into."""
    return np.digitize(confidence, np.arange(1, bins) / bins, right=True)


def disagreement(predictions: Integers) -> float:
    """Mean over pairs of members of the share of examples on which their classes differ; 0 for one member.

    Args:
        predictions: int [members, examples], predicted classes.
    """
    members, examples = predictions.shape
    differing = np.count_nonzero(predictions[:, None] != predictions)  # each pair is counted twice
    return float(differing / (max(members * (members - 1), 1) * examples))
