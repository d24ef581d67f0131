"""Data sets by name or by path: all that may be asked for."""

import os
from pathlib import Path

from ness_bench.data import cifar10, fashion_mnist, npz
from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError, nearest

HOME = "NESS_BENCH_DATA"
"""The environment variable that names the folder of downloaded data sets; `data` where it is not set."""


def load_named(name: str) -> DataSet:
    """The data set of that name.

    Args:
        name: `fashion`, the shipped subset; `cifar10`, looked for in the folder of downloaded data sets; or
            a path: a `.npz` file (see `npz`), CIFAR-10's folder or `.tar.gz` archive, a folder with either in
            it, or a folder with Fashion-MNIST's IDX files.

    Raises:
        NessBenchError: nothing of the kind is there, or a file is damaged.
    """
    if name == "fashion":
        return fashion_mnist.load()
    if name == "cifar10":
        return _downloaded_cifar10()
    path = Path(name)
    if path.suffix == ".npz":
        return npz.load(path)
    if found := cifar10.find(path):
        return cifar10.load(found)
    if any(path.glob("*-ubyte*")):
        return fashion_mnist.from_idx(path)
    raise NessBenchError(
        f'unknown data set "{name}"{nearest(name, ["fashion", "cifar10"])}; give fashion, cifar10, a .npz file of '
        f"your own images, or a folder that holds {cifar10.FOLDER}, {cifar10.ARCHIVE} or Fashion-MNIST's IDX files"
    )


def _downloaded_cifar10() -> DataSet:
    home = Path(os.environ.get(HOME) or "data").absolute()
    if found := cifar10.find(home):
        return cifar10.load(found)
    raise NessBenchError(
        f"CIFAR-10 is not in {home}; download {cifar10.DOWNLOAD} into it, unpack it or not, "
        f"or name the folder that it lies in by the environment variable {HOME}"
    )
