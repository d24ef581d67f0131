"""NAS-Bench-201's table (Dong & Yang, ICLR 2020), from the authors' files NAS-Bench-201-v1_0 or v1_1 (`.pth`).

`torch.save` wrote them: a pickle, beside the bytes of tensors, of which these files hold none. Loaded by `torch.load`
one fills 28 GB of memory; here it takes one process a quarter of an hour.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.tables.folder import require_free
from ness_bench.tables.official import ignored, read_table, write_trials
from ness_bench.tables.pickles import PlainUnpickler, reading

_MAGIC = 0x1950A86A20F9469CFC6C
_AT_ONCE = 1 << 20


def import_nas_bench_201(
    path: Path,
    out: Path,
    *,
    partial: bool = False,
    begun: Callable[[int], object] = ignored,
    done: Callable[[], object] = ignored,
) -> None:
    """Make a table of a file of NAS-Bench-201.

    Args:
        path: the file, under whatever name.
        out: folder of the table; must not exist yet, or be empty.
        partial: take a table that lacks architectures.
        begun: called with the number of architectures to come.
        done: called after each.

    Raises:
        NessBenchError: the file is damaged, foreign or incomplete, or asks for more than a table of numbers needs.
            Nothing is written then.
    """
    require_free(out)
    if not path.is_file():
        raise NessBenchError(f"{path} is no file; give NAS-Bench-201-v1_0-e61699.pth or NAS-Bench-201-v1_1-096897.pth")
    begun(len(architectures()))
    with reading(path, "file of torch.save"), _pickle_of(path) as file:
        trials = read_table(file, path, done)
    write_trials(out, trials, f"NAS-Bench-201, {path.stem}", partial)


@contextmanager
def _pickle_of(path: Path) -> Iterator[IO[bytes]]:
    """The file from which the pickle of what was saved can be read, in either of PyTorch's formats."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as member:
                yield BufferedReader(member, _AT_ONCE)  # type: ignore[type-var]
    else:  # until PyTorch 1.6
        with path.open("rb", buffering=_AT_ONCE) as file:
            magic, _version, _machine = (PlainUnpickler(file).load() for _ in range(3))
            if magic != _MAGIC:
                raise NessBenchError(f"{path} was not written by torch.save: it begins with another number")
            yield file
