"""What a bank holds, and how well it tells architectures apart."""

import numpy as np
import numpy.typing as npt

from ness_bench.banks.bank import Bank, Predictions
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.ensembles.metrics import accuracy


def accuracies(predictions: Predictions) -> npt.NDArray[np.float64]:
    """The accuracy of every member on one split, [members]."""
    return np.array([accuracy(codes, predictions.labels) for codes in predictions.codes])  # decoding keeps the order


def seed_spread(bank: Bank) -> float:
    """Standard deviation of test accuracy between seeds of one architecture, pooled; NaN without further seeds."""
    test = accuracies(bank.test)
    groups: dict[object, list[float]] = {}
    for architecture, value in zip(bank.members.architectures, test.tolist(), strict=True):
        groups.setdefault(architecture, []).append(value)
    variances = [(np.var(values, ddof=1), len(values) - 1) for values in groups.values() if len(values) > 1]
    if not variances:
        return float("nan")
    return float(np.sqrt(np.average([v for v, _ in variances], weights=[freedom for _, freedom in variances])))


def summarise(bank: Bank) -> list[tuple[str, str]]:
    """(label, value) lines for a person to read."""
    from scipy.stats import spearmanr

    manifest, members = bank.manifest, bank.members
    first = members.seeds == 0
    val, test = accuracies(bank.val), accuracies(bank.test)
    spread = seed_spread(bank)
    between = float(np.sqrt(max(np.var(test[first], ddof=1) - spread**2, 0))) if first.sum() > 1 else float("nan")
    several = {
        architecture for architecture, seed in zip(members.architectures, members.seeds, strict=True) if seed > 0
    }
    recipe = bank.recipe
    low, median, high = np.quantile(test[first], [0, 0.5, 1])
    return [
        ("bank", f"{bank.name} (schema {manifest.schema_}, digest {bank.digest[:12]})"),
        ("data", f"{manifest.data}: {manifest.train_examples:,} train, {len(bank.val.labels):,} val, "
                 f"{len(bank.test.labels):,} test examples, {bank.skeleton.classes} classes"),
        ("network", f"C={bank.skeleton.channels}, N={bank.skeleton.cells}, {bank.skeleton.image_size}×"
                    f"{bank.skeleton.image_size}×{bank.skeleton.input_channels} images"),
        ("recipe", f"{recipe.epochs} epochs, batch {recipe.batch_size}, learning rate {recipe.learning_rate}, "
                   f"weight decay {recipe.weight_decay}"),
        ("coverage", f"{int(first.sum()):,} of 4,930 functional classes, {bank.space.size:,} of 15,625 strings"),
        ("members", f"{len(members):,}; {len(several)} classes have {int(members.seeds.max()) + 1} seeds"),
        ("codec", f"{manifest.codec.name}, {manifest.codec.levels + 1} levels, one byte a probability"),
        ("test accuracy", f"{low:.4f} to {high:.4f}, median {median:.4f} (seed 0)"),
        ("spread of accuracy", f"{between:.4f} between architectures, {spread:.4f} between seeds"),
        ("val→test ranks", f"Spearman {spearmanr(val[first], test[first]).statistic:.3f} (seed 0)"),
        ("training", f"{members.cpu_seconds.sum() / 3600:.2f} CPU hours, "
                     f"median {np.median(members.cpu_seconds):.2f} s a member"),
        *((f"supernet {supernet.name}", _supernet_line(bank, supernet)) for supernet in bank.supernets),
    ]  # fmt: skip


def _supernet_line(bank: Bank, stored: StoredSupernet) -> str:
    """How well inherited-weight scores rank the bank's networks."""
    from scipy.stats import spearmanr

    rows = np.flatnonzero(bank.members.seeds == 0)
    architectures = np.array([bank.members.architectures[row] for row in rows], np.int8)
    inherited = np.log(stored.true_class(stored.rows(architectures))).mean(-1)
    rank = spearmanr(inherited, accuracies(bank.test)[rows]).statistic
    return f"inherited-weight NLL ranks test accuracy with Spearman {rank:.3f}"
