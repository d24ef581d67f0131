"""What is said of a supernet outside of a bank: above all, how well it ranks networks."""

from pathlib import Path

import numpy as np

from ness_bench.banks import supernet_folder
from ness_bench.banks.bank import Bank
from ness_bench.banks.ranks import BEST_SHARE, classes_of, ranks_of, spearman, stand_alone
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.data.images import DataSet
from ness_bench.ensembles.metrics import accuracy
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.spaces import darts
from ness_bench.spaces.nas_bench_201 import canonical, to_string
from ness_bench.tables.embedded import embedded
from ness_bench.training.one_shot import inherited, weights

Lines = list[tuple[str, str]]
"""(label, value) for a person to read."""

RANDOM_PATHS = 20
"""Architectures that are evaluated where there are too many to evaluate all."""


def _head(held: weights.Description) -> Lines:
    return [
        ("supernet", f"{held.kind}, {held.epochs} epochs, seed {held.seed}"),
        ("network", str(held.skeleton)),
        ("data", f"{held.data} (digest {str(held.data_digest)[:12]}…)"),
    ]


def ranked(folder: Path, supernet: StoredSupernet, bank: Bank | None) -> Lines:
    """How a scored supernet of NAS-Bench-201 ranks networks.

    Args:
        bank: whose stand-alone test accuracies are to be ranked; None to compare with the published table alone.
    """
    examples = len(supernet.images)
    lines = [
        *_head(supernet_folder.describe(folder)),
        (
            "inherited weights",
            f"accuracy {supernet.accuracy.mean():.3f} in the mean, best {supernet.accuracy.max():.3f}, of "
            f"{len(supernet.architectures):,} paths on {examples:,} validation images",
        ),
    ]
    if bank is not None:
        for over, of in ranks_of(bank, supernet).items():
            lines.append(
                (
                    f"ranks of {over}",
                    f"Spearman {of.spearman:.3f}, Kendall {of.kendall:.3f}; among the best {BEST_SHARE:.0%} "
                    f"{of.best_spearman:.3f}, {of.best_kendall:.3f} (inherited NLL against test accuracy in bank "
                    f"{bank.name})",
                )
            )
    table = embedded()
    published = table.accuracy("cifar10", "val", 200, missing="available-mean")
    rows = supernet.rows(np.array(table.architectures, np.int8))
    lines.append(
        (
            "NAS-Bench-201 ranks",
            f"Spearman {spearman(published, -supernet.nll[rows].astype(np.float64)):.3f} of strings, with 200-epoch "
            "CIFAR-10 validation accuracy",
        )
    )
    if supernet.alphas is not None:
        derived = canonical(tuple(supernet.alphas[-1].argmax(1).tolist()))
        lines.append(("derives", to_string(derived) + (_standing(bank, derived) if bank is not None else "")))
    return lines


def _standing(bank: Bank, derived: tuple[int, ...]) -> str:
    if derived not in bank.space:
        return f": not in bank {bank.name}"
    accuracies = stand_alone(bank, classes_of(bank))
    (own,) = stand_alone(bank, np.array([derived], np.int8))
    return (
        f": test accuracy {own:.4f}, {int((accuracies > own).sum()) + 1:,} of {len(accuracies):,} in bank {bank.name}"
    )


def sampled(folder: Path, data: DataSet) -> Lines:
    """How random architectures of DARTS's cell space do with inherited weights: it has no stand-alone accuracies.

    Raises:
        NessBenchError: the supernet was trained on other data.
    """
    held = supernet_folder.describe(folder)
    supernet_folder.require_trained_on(held, data, folder)
    assert isinstance(held.skeleton, DartsSkeleton), "other spaces can be enumerated"
    model, alphas = weights.load(folder / supernet_folder.WEIGHTS, held.skeleton)
    rng = np.random.default_rng(0)
    paths = [darts.random_architecture(rng) for _ in range(RANDOM_PATHS)]
    predicted = inherited.predictions(model, paths, data.normalise(data.val.pixels))
    shares = [accuracy(of, data.val.labels) for of in predicted]
    lines = [
        *_head(held),
        (
            "inherited weights",
            f"accuracy {np.mean(shares):.3f} in the mean, {min(shares):.3f} to {max(shares):.3f}, of {RANDOM_PATHS} "
            f"random architectures on {len(data.val):,} validation images",
        ),
        ("ranks", "unknown: no stand-alone accuracies of this space are at hand"),
    ]
    if alphas is not None:
        lines.append(("derives", darts.to_string(darts.derive(alphas[-1]))))
    return lines
