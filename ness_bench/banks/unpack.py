"""The predictions of a bank, unpacked once into a cache and memory-mapped from there.

A bank keeps predictions compressed (`codec`), members in chunks of `CHUNK`, a file a chunk and split. The
cache holds, in a folder named by the bank's digest,

    val.npy, test.npy       uint16 [members, classes, examples], units of 1/4096, true class first

which all processes share through the page cache of the operating system.
"""

import math
import mmap
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from ness_bench.banks import codec
from ness_bench.ensembles.quantised import QuantisedPredictions, true_class_first
from ness_bench.errors import NessBenchError
from ness_bench.files import cache_folder

CHUNK = 512
"""Members in a file of compressed predictions; the last file may hold fewer."""

Labels = dict[str, codec.Labels]
"""int64 [examples] of each split."""


def cached(digest: str) -> Path:
    """The folder of the unpacked predictions of the bank with that digest."""
    return cache_folder() / "banks" / digest[:16]


def chunk_name(split: str, chunk: int) -> str:
    return f"{split}/{chunk:03}.xz"


def chunks(members: int) -> Iterable[tuple[int, slice]]:
    """(number, rows) of each chunk."""
    return enumerate(slice(first, min(first + CHUNK, members)) for first in range(0, members, CHUNK))


def read_chunk(
    folder: Path, split: str, labels: codec.Labels, classes: int, chunk: tuple[int, slice]
) -> tuple[slice, codec.Units]:
    """(rows, units) of a chunk of members, units uint16 [rows, classes, examples], true class first."""
    number, rows = chunk
    content = (folder / chunk_name(split, number)).read_bytes()
    codes = codec.decompress(content, rows.stop - rows.start, labels, classes)
    units = codec.units(codes.reshape(-1, classes)).reshape(codes.shape)
    return rows, true_class_first(units, labels)


def unpacked(folder: Path, digest: str, members: int, classes: int, labels: Labels) -> dict[str, QuantisedPredictions]:
    """The predictions of a bank by split, memory-mapped; unpacked if they are not in the cache.

    Raises:
        NessBenchError: the bank's files or the cached ones are damaged.
    """
    home = cached(digest)
    if not home.is_dir():
        _unpack(folder, home, members, classes, labels)
    result = {}
    for split, of_split in labels.items():
        try:
            units = _map(home / f"{split}.npy")
        except (OSError, ValueError) as error:
            raise NessBenchError(
                f"{home} is damaged ({error}); remove the folder, it is unpacked again from the bank"
            ) from None
        result[split] = QuantisedPredictions(units, of_split)
    return result


def _unpack(folder: Path, home: Path, members: int, classes: int, labels: Labels) -> None:
    """Fill a folder under a temporary name, then rename it; where two processes do so, the first one stays."""
    temporary = home.with_name(f".{home.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for split, of_split in labels.items():
            shape = (members, classes, len(of_split))
            units = np.lib.format.open_memmap(temporary / f"{split}.npy", "w+", np.uint16, shape)

            with ThreadPoolExecutor(os.cpu_count()) as pool:  # reading a chunk mostly releases the interpreter lock
                for rows, of_chunk in pool.map(partial(read_chunk, folder, split, of_split, classes), chunks(members)):
                    units[rows] = of_chunk
            units.flush()
        try:
            temporary.rename(home)
        except OSError:
            if not home.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _map(path: Path) -> codec.Units:
    """A memory-mapped array that, unlike NumPy's, does not name its file: a task must not lead to the test split."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(content, dtype, math.prod(shape), file.tell()).reshape(shape)
