"""Checking a bank: is it what was written, is it well-formed, can it be made again?"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ness_bench.banks import codec
from ness_bench.banks.bank import Bank, open_bank
from ness_bench.banks.jobs import load_data
from ness_bench.banks.summary import seed_spread
from ness_bench.banks.unpack import cached, chunk_name, chunks, read_chunk
from ness_bench.data.images import DataSet
from ness_bench.ensembles.metrics import accuracy
from ness_bench.ensembles.quantised import TOTAL, QuantisedPredictions, true_class_first
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.training.fit import fit


def verify(folder: Path, retrain: int, seed: int) -> Iterator[str]:
    """Check a bank and yield a line for each check that it passed.

    Args:
        folder: of the bank.
        retrain: how many random members to train again.
        seed: of their choice.

    Raises:
        NessBenchError: a check failed; the message says which, and where.
    """
    bank = open_bank(folder)
    yield f"digests: {len(bank.manifest.files)} files are what was written"
    for split, predictions in (("val", bank.val), ("test", bank.test)):
        _check_units(bank, split, predictions)
        yield f"{split}: {len(bank.members)} members on {len(predictions.labels)} examples; probabilities sum to 1"
    yield from _retrain(bank, retrain, seed)


def _check_units(bank: Bank, split: str, predictions: QuantisedPredictions) -> None:
    """Unpack a split anew: its probabilities must be distributions, and those of the cache."""
    for chunk in chunks(len(bank.members)):
        rows, units = read_chunk(bank.folder, split, predictions.labels, bank.skeleton.classes, chunk)
        if units.min() < 1 or (units.sum(1, dtype=np.int64) != TOTAL).any():
            raise NessBenchError(
                f"bank {bank.folder}: {chunk_name(split, chunk[0])} holds probabilities that are not positive or do "
                "not sum to 1; build the bank again"
            )
        if not np.array_equal(units, predictions.units[rows]):
            raise NessBenchError(
                f"the cached copy of bank {bank.folder} differs from its {chunk_name(split, chunk[0])}; remove "
                f"{cached(bank.digest)}, it is unpacked again from the bank"
            )


def _retrain(bank: Bank, members: int, seed: int) -> Iterator[str]:
    """Train random members again; on the machine that built the bank they come out identical,
    with the CPU engine compiled before; see `fit`.

    Elsewhere float rounding differs, and training is chaotic: a member is then another draw of its seed,
    and its accuracy must lie within the spread of seeds and the sampling error of the test split.
    """
    if not members:
        return
    data, spread = _same_data(bank), seed_spread(bank)
    for row in np.random.default_rng(seed).choice(len(bank.members), min(members, len(bank.members)), replace=False):
        architecture, member_seed = bank.members.architectures[row], int(bank.members.seeds[row])
        name = f"{to_string(architecture)} seed {member_seed}"
        fitted = fit(architecture, data, bank.skeleton, bank.recipe, member_seed)
        if all(
            np.array_equal(_stored(floats, predictions.labels), predictions.units[row])
            for floats, predictions in ((fitted.val, bank.val), (fitted.test, bank.test))
        ):
            yield f"retrained {name}: identical"
            continue
        labels = data.test.labels
        stored, found = float(bank.test_scores.accuracy[row]), accuracy(fitted.test, labels)
        if np.isnan(spread):
            yield f"retrained {name}: test accuracy {found:.4f} for {stored:.4f}; no second seed to judge by"
            continue
        allowed = 4 * float(np.sqrt(2 * stored * (1 - stored) / len(labels) + 2 * spread**2))
        if abs(found - stored) > allowed:
            raise NessBenchError(
                f"bank {bank.folder}: {name} has test accuracy {stored:.4f}, trained again {found:.4f}; "
                f"machine and seed explain a difference of {allowed:.4f} at most"
            )
        yield f"retrained {name}: test accuracy {found:.4f} for {stored:.4f}, within what seeds explain ({allowed:.4f})"


def _same_data(bank: Bank) -> DataSet:
    """The data set that the bank was built on."""
    data = load_data(bank.manifest.plan)
    if data.digest != bank.manifest.data_digest:
        raise NessBenchError(
            f"bank {bank.folder} cannot be made again: {bank.manifest.plan.data} holds other images or labels than "
            "those that it was built on"
        )
    return data


def _stored(floats: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """The units [classes, examples] that a bank keeps of float predictions [examples, classes]."""
    return true_class_first(codec.units(codec.encode(floats[: len(labels)])), labels)
