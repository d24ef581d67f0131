"""What a bank holds, and how well it tells architectures apart."""

import numpy as np
import numpy.typing as npt

from ness_bench.banks.bank import Bank
from ness_bench.banks.ranks import between_seeds, ranks_of, spearman
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.spaces.nas_bench_201 import canonical
from ness_bench.spaces.space import Space
from ness_bench.tables.embedded import embedded


def random_seeds(bank: Bank) -> npt.NDArray[np.float64]:
    """Test accuracies [architectures, seeds] of the classes that got further seeds by lot, not for their scores."""
    seeds = range(bank.manifest.plan.extra_seeds + 1)
    rows = [[bank.members.row(architecture, seed) for seed in seeds] for architecture in bank.repeated.classes]
    return bank.test_scores.accuracy[np.array(rows, np.int64).reshape(-1, len(seeds))]


def seed_spread(bank: Bank) -> float:
    """Standard deviation of test accuracy between seeds of a random architecture; NaN without further seeds."""
    accuracies = random_seeds(bank)
    return float(np.sqrt(accuracies.var(1, ddof=1).mean())) if accuracies.size > len(accuracies) else float("nan")


def seed_rank(bank: Bank) -> float:
    """Spearman of test accuracy between two seeds of random architectures, the mean over pairs; NaN without pairs."""
    return between_seeds(random_seeds(bank)).spearman


def architecture_spread(bank: Bank) -> float:
    """Standard deviation of test accuracy between random architectures, the spread between seeds taken out.

    NaN without further seeds.
    """
    accuracies, spread = random_seeds(bank), seed_spread(bank)
    if len(accuracies) < 2 or np.isnan(spread):
        return float("nan")
    return float(np.sqrt(max(float(accuracies.var(0, ddof=1).mean()) - spread**2, 0.0)))


def _nas_bench_201_rank(bank: Bank, accuracy: npt.NDArray[np.float64]) -> float:
    """Spearman with the mean 200-epoch CIFAR-10 accuracy of NAS-Bench-201, of the strings of each class."""
    table = embedded().accuracy("cifar10", "val", 200, missing="available-mean")
    classes: dict[object, list[float]] = {}
    for architecture, of_string in zip(Space.whole().architectures, table.tolist(), strict=True):
        classes.setdefault(canonical(architecture), []).append(of_string)
    rows = np.flatnonzero(bank.members.seeds == 0)
    published = np.array([np.mean(classes[bank.members.architectures[row]]) for row in rows])
    return spearman(accuracy[rows], published)


def summarise(bank: Bank) -> list[tuple[str, str]]:
    """(label, value) lines for a person to read."""
    manifest, members, recipe = bank.manifest, bank.members, bank.recipe
    first = members.seeds == 0
    test, val = bank.test_scores.accuracy, members.curves[:, -1]
    spread, between, random = seed_spread(bank), architecture_spread(bank), len(random_seeds(bank))
    several = {a for a, seed in zip(members.architectures, members.seeds, strict=True) if seed > 0}
    low, median, high = np.quantile(test[first], [0, 0.5, 1])
    return [
        ("bank", f"{bank.name} (schema {manifest.schema_}, digest {bank.digest[:12]})"),
        ("data", f"{manifest.data}: {manifest.train_examples:,} train, {len(bank.val.labels):,} val, "
                 f"{len(bank.test.labels):,} of {manifest.test_examples:,} test examples"),
        ("classes", f"{bank.skeleton.classes}: {', '.join(manifest.class_names)}"),
        ("network", f"C={bank.skeleton.channels}, N={bank.skeleton.cells}, {bank.skeleton.image_size}×"
                    f"{bank.skeleton.image_size}×{bank.skeleton.input_channels} images"),
        ("recipe", f"{recipe.epochs} epochs, batch {recipe.batch_size}, learning rate {recipe.learning_rate}, "
                   f"weight decay {recipe.weight_decay}"),
        ("coverage", f"{int(first.sum()):,} of {len(Space.whole().classes):,} functional classes, "
                     f"{bank.space.size:,} of {Space.whole().size:,} strings"),
        ("members", f"{len(members):,}; {len(several)} classes have {int(members.seeds.max()) + 1} seeds"),
        ("codec", f"{manifest.codec.name}, {manifest.codec.levels + 1} levels"),
        *((f"stored − float, n={of.size}", f"NLL {of.nll_mean:+.4f} ± {of.nll_sd:.4f}, accuracy "
                                           f"±{of.accuracy_mean_absolute:.4f}") for of in manifest.distortion),
        ("test accuracy", f"{low:.4f} to {high:.4f}, median {median:.4f} (seed 0, whole test split)"),
        ("spread of accuracy", f"{between:.4f} between architectures, {spread:.4f} between seeds: "
                               f"{between / spread if spread else np.inf:.1f} times ({random} random classes)"),
        ("seed→seed ranks", f"Spearman {seed_rank(bank):.3f} of test accuracy ({random} random classes)"),
        ("val→test ranks", f"Spearman {spearman(val[first], test[first]):.3f} (seed 0)"),
        ("NAS-Bench-201 ranks", f"Spearman {_nas_bench_201_rank(bank, test):.3f} with 200-epoch CIFAR-10 accuracy"),
        ("training", f"{members.cpu_seconds.sum() / 3600:.2f} CPU hours, "
                     f"median {np.median(members.cpu_seconds):.2f} s a member"),
        *((f"supernet {supernet.name}", _supernet_line(bank, supernet)) for supernet in bank.supernets),
    ]  # fmt: skip


def _supernet_line(bank: Bank, stored: StoredSupernet) -> str:
    """How well inherited-weight scores rank the bank's networks: strings, and one string a functional class."""
    ranks = ranks_of(bank, stored)
    return (
        f"accuracy {stored.accuracy.mean():.3f}, best {stored.accuracy.max():.3f}; inherited-weight NLL ranks test "
        f"accuracy with Spearman {ranks['classes'].spearman:.3f} of classes, {ranks['strings'].spearman:.3f} of strings"
    )
