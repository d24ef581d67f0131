"""How well inherited weights rank networks: NESS's premise, held against a bank's stand-alone trainings."""

import itertools
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.banks.bank import Bank
from ness_bench.banks.supernets import StoredSupernet

Floats = npt.NDArray[np.floating]

BEST_SHARE = 0.1
"""The share of architectures, by stand-alone accuracy, among which a search has to tell the better from the good."""


@dataclass(frozen=True)
class RankCorrelations:
    """Rank correlations of stand-alone accuracy with inherited-weight NLL, its sign changed: 1 is the same order.

    Attributes:
        spearman, kendall: of all architectures; Kendall's is τ-b.
        best_spearman, best_kendall: of the `BEST_SHARE` of highest stand-alone accuracy.

    NaN where all scores are the same, or fewer than two.
    """

    spearman: float
    kendall: float
    best_spearman: float
    best_kendall: float


def rank_correlations(accuracy: Floats, nll: Floats) -> RankCorrelations:
    """Hold two scores of the same architectures against each other.

    Args:
        accuracy: stand-alone [architectures].
        nll: with inherited weights [architectures].
    """
    best = accuracy >= np.quantile(accuracy, 1 - BEST_SHARE)
    return RankCorrelations(
        spearman(accuracy, -nll),
        _kendall(accuracy, -nll),
        spearman(accuracy[best], -nll[best]),
        _kendall(accuracy[best], -nll[best]),
    )


def between_seeds(accuracies: npt.NDArray[np.float64]) -> RankCorrelations:
    """How well one training of networks ranks another one of them, which a supernet is not expected to surpass.

    Args:
        accuracies: stand-alone [architectures, seeds].

    Returns:
        The mean over ordered pairs of seeds; NaN without pairs.
    """
    if min(accuracies.shape) < 2:
        return RankCorrelations(*[float("nan")] * 4)
    pairs = [astuple(rank_correlations(a, -b)) for a, b in itertools.permutations(accuracies.T, 2)]
    return RankCorrelations(*np.mean(pairs, axis=0).tolist())


def classes_of(bank: Bank) -> npt.NDArray[np.int8]:
    """An architecture of each functional class that a bank covers, int8 [classes, edges]."""
    return np.array([bank.members.architectures[row] for row in np.flatnonzero(bank.members.seeds == 0)], np.int8)


def stand_alone(bank: Bank, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """Test accuracy (seed 0) of architectures [architectures, edges]; strings of a class share one training."""
    rows = [bank.members.row(tuple(architecture), 0) for architecture in architectures.tolist()]
    return bank.test_scores.accuracy[rows]


def ranks_of(bank: Bank, supernet: StoredSupernet) -> Mapping[str, RankCorrelations]:
    """How well a supernet of a bank ranks its test accuracies, over "classes" (a string each) and over "strings"."""
    over = {"classes": classes_of(bank), "strings": bank.space.array}
    return {
        name: rank_correlations(stand_alone(bank, architectures), supernet.nll[supernet.rows(architectures)])
        for name, architectures in over.items()
    }


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation; NaN where a side is constant, or of fewer than two."""
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic) if _ranked(a, b) else float("nan")


def _kendall(a: Floats, b: Floats) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(a, b).statistic) if _ranked(a, b) else float("nan")


def _ranked(a: Floats, b: Floats) -> bool:
    """Whether both sides have an order; SciPy warns where they have not."""
    return bool(len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0)
