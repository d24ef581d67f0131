"""CIFAR-10 (Krizhevsky 2009): the official "python version", packed or unpacked.

Test is the official test set of 10,000 images. Val is 5,000 images held out of the official train set, see
`hold_out`; this is ours: NAS-Bench-201 halves the train set by a list of indices published beside it.
"""

import gzip
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from ness_bench.data.images import DataSet, LabelledImages, hold_out
from ness_bench.errors import NessBenchError

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
DOWNLOAD = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE} (MD5 c58f30108f718f92721af3b95e74349a)"

_TRAIN, _TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch"
_FILES = (*_TRAIN, _TEST)


def find(path: Path) -> Path | None:
    """The folder with the batches, or else the packed one: `path` itself, or in it under the official name."""
    for place in (path, path / FOLDER, path / ARCHIVE):
        if any((place / name).is_file() for name in _FILES):
            return place
        if place.is_file() and place.name.endswith(".tar.gz"):
            return place
    return None


def load(path: Path) -> DataSet:
    """The data set in a folder or archive that `find` found; a folder is read faster.

    Raises:
        NessBenchError: a batch is missing, damaged, or asks for more than images and labels.
    """
    batches = {name: _read_batch(path / name, file) for name, file in _open_batches(path)}
    missing = [name for name in _FILES if name not in batches]
    if missing:
        raise NessBenchError(f"{path} lacks {', '.join(missing)} of CIFAR-10; download it again from {DOWNLOAD}")
    parts = [batches[name] for name in _TRAIN]
    pixels, labels = np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts])
    train, val = hold_out(LabelledImages(pixels, labels).shuffled())
    return DataSet("cifar10", CLASS_NAMES, train, val, batches[_TEST])


def _open_batches(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Those batches that are there, each by name and open for reading."""
    if path.is_dir():
        for name in _FILES:
            if (path / name).is_file():
                with (path / name).open("rb") as file:
                    yield name, file
        return
    try:
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if name in _FILES and (content := archive.extractfile(member)):
                    yield name, content
            unpacked.read()  # to the end, where the checksum is compared
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None


def _read_batch(path: Path, file: IO[bytes]) -> LabelledImages:
    try:
        batch = _Unpickler(file, encoding="bytes").load()
    except Exception as error:  # what a damaged pickle raises is not limited to anything
        raise _damaged(path, error) from None
    match batch:
        case {b"data": np.ndarray(dtype=np.uint8, shape=(count, 3072)) as rows, b"labels": [*labels]}:
            if len(labels) == count and all(isinstance(label, int) and label in range(10) for label in labels):
                pixels = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                return LabelledImages(np.ascontiguousarray(pixels), np.array(labels, np.int64))
    raise _damaged(path, "it holds no uint8 data [images, 3072] with a label from 0 to 9 for each")


def _damaged(path: Path, reason: object) -> NessBenchError:
    return NessBenchError(f"{path} is damaged or not CIFAR-10's ({reason}); download it again from {DOWNLOAD}")


def _latin1(text: str, encoding: str) -> bytes:
    """Stands in for `codecs.encode`, by which Python 3 writes bytes so that Python 2 can read them."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


_rebuild_array: Any = np.empty(0).__reduce__()[0]  # numpy's own, whatever module it lies in
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _rebuild_array,
    ("numpy._core.multiarray", "_reconstruct"): _rebuild_array,  # of batches that were written anew
    ("_codecs", "encode"): _latin1,
}


class _Unpickler(pickle.Unpickler):
    """Makes dicts, lists, strings, numbers and arrays; a pickle that asks for more could run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of images needs")
        return _ADMITTED[module, name]
