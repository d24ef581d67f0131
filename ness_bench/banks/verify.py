"""Checking a bank: is it what was written, is it well-formed, can it be made again?"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ness_bench.banks import codec
from ness_bench.banks.bank import Bank, open_bank
from ness_bench.banks.build import load_data
from ness_bench.banks.summary import seed_spread
from ness_bench.ensembles.metrics import accuracy
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
    _check_shapes(bank)
    yield f"shapes: {len(bank.members)} members on {len(bank.val.labels)} val and {len(bank.test.labels)} test examples"
    _check_sums(bank)
    yield "probabilities: every row sums to 1 within the rounding of its codes"
    yield from _retrain(bank, retrain, seed)


def _check_shapes(bank: Bank) -> None:
    for split, predictions in (("val", bank.val), ("test", bank.test)):
        expected = (len(bank.members), len(predictions.labels), bank.skeleton.classes)
        if predictions.codes.shape != expected or predictions.codes.dtype != np.uint8:
            raise NessBenchError(
                f"bank {bank.folder}: {split}.npy is {predictions.codes.dtype} {predictions.codes.shape}, "
                f"but the members, labels and classes make it uint8 {expected}; build the bank again"
            )


def _check_sums(bank: Bank) -> None:
    bound = codec.rounding_bound(bank.skeleton.classes)
    for split, predictions in (("val", bank.val), ("test", bank.test)):
        for row, codes in enumerate(predictions.codes):
            sums = (codes.astype(np.float64) ** 2).sum(-1) / codec.LEVELS**2
            worst = int(np.abs(sums - 1).argmax())
            if abs(sums[worst] - 1) > bound:
                raise NessBenchError(
                    f"bank {bank.folder}: {split}.npy, member {row}, example {worst}: probabilities sum to "
                    f"{sums[worst]:.4f}, further from 1 than rounding explains ({bound:.4f}); build the bank again"
                )


def _retrain(bank: Bank, members: int, seed: int) -> Iterator[str]:
    """Train random members again; on the machine that built the bank they come out identical.

    Elsewhere float rounding differs, and training is chaotic: a member is then another draw of its seed,
    and its accuracy must lie within the spread of seeds and the sampling error of the test split.
    """
    plan, spread = bank.manifest.plan, seed_spread(bank)
    for row in np.random.default_rng(seed).choice(len(bank.members), min(members, len(bank.members)), replace=False):
        architecture, member_seed = bank.members.architectures[row], int(bank.members.seeds[row])
        name = f"{to_string(architecture)} seed {member_seed}"
        fitted = fit(architecture, load_data(plan), bank.skeleton, bank.recipe, member_seed)
        if np.array_equal(codec.encode(fitted.val), bank.val.codes[row]) and np.array_equal(
            codec.encode(fitted.test), bank.test.codes[row]
        ):
            yield f"retrained {name}: identical"
            continue
        labels = bank.test.labels
        stored, found = accuracy(bank.test.codes[row], labels), accuracy(fitted.test, labels)
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
