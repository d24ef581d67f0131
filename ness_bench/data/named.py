"""Data sets by name."""

from pathlib import Path

from ness_bench.data import fashion_mnist
from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError


def load_named(name: str) -> DataSet:
    """The data set of that name: `fashion`, or a folder that holds Fashion-MNIST's IDX files.

    Raises:
        NessBenchError: neither; or a file in the folder is damaged.
    """
    if name == "fashion":
        return fashion_mnist.load()
    if Path(name).is_dir():
        return fashion_mnist.from_idx(Path(name))
    raise NessBenchError(f'unknown data set "{name}"; give fashion, or a folder with the IDX files of Fashion-MNIST')
