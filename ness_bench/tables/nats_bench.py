"""NATS-Bench's topology table (Dong et al., TPAMI 2021), from the authors' files.

They publish it as a folder, NATS-tss-v1_0-3ffb9-simple, of a compressed pickle an architecture, and as one such file of
all of them, NATS-tss-v1_0-3ffb9.pickle.pbz2, which would fill 12 GB of memory. The folder is read by several processes;
the file can be read by one only, in a quarter of an hour.
"""

import bz2
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ness_bench.engines.processes import map_processes
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.tables.folder import require_free
from ness_bench.tables.official import (
    check_number,
    check_order,
    ignored,
    read_architecture,
    read_table,
    write_trials,
)
from ness_bench.tables.pickles import PlainUnpickler, reading
from ness_bench.tables.trials import Trial

SUFFIX = ".pickle.pbz2"
_META = f"meta{SUFFIX}"


def import_nats(
    path: Path,
    out: Path,
    *,
    partial: bool = False,
    workers: int = 1,
    begun: Callable[[int], object] = ignored,
    done: Callable[[], object] = ignored,
) -> None:
    """Make a table of NATS-Bench's topology files.

    Args:
        path: the folder or the file, under whatever name.
        out: folder of the table; must not exist yet, or be empty.
        partial: take a table that lacks architectures.
        workers: processes to read a folder with.
        begun: called with the number of architectures to come.
        done: called after each.

    Raises:
        NessBenchError: the files are damaged, foreign or incomplete, or ask for more than a table of numbers needs.
            Nothing is written then.
    """
    require_free(out)
    if path.is_dir():
        trials: Iterable[Trial] = _read_folder(path, partial, workers, begun, done)
    elif path.is_file():
        trials = _read_file(path, begun, done)
    else:
        raise NessBenchError(f"{path} does not exist; give NATS-tss-v1_0-3ffb9-simple, or NATS-tss-v1_0-3ffb9{SUFFIX}")
    write_trials(out, trials, f"NATS-Bench topology, {path.resolve().name.removesuffix(SUFFIX)}", partial)


def _read_folder(
    folder: Path, partial: bool, workers: int, begun: Callable[[int], object], done: Callable[[], object]
) -> Iterator[Trial]:
    if not (folder / _META).is_file():
        raise NessBenchError(f"{folder} is no NATS-Bench folder: it holds no {_META}; give the one that does")
    meta = _load(folder / _META)
    check_order(meta.get("meta_archs") if isinstance(meta, dict) else None, folder / _META)
    files = sorted(file for file in folder.iterdir() if re.fullmatch(r"\d+" + re.escape(SUFFIX), file.name))
    check_number(len(files), partial, folder)
    begun(len(files))
    for _, trials, _ in map_processes(_read_one, files, workers):
        yield from trials
        done()


def _read_one(path: Path) -> list[Trial]:
    states = _load(path)
    index, trials = read_architecture(states, path)
    if index != int(path.name.removesuffix(SUFFIX)):
        raise NessBenchError(f"{path} holds architecture {index}, not the one that it is named after")
    return trials


def _load(path: Path) -> Any:
    with reading(path, f"compressed pickle, such as the official {_META}"):
        return PlainUnpickler(io.BytesIO(bz2.decompress(path.read_bytes()))).load()


def _read_file(path: Path, begun: Callable[[int], object], done: Callable[[], object]) -> list[Trial]:
    begun(len(architectures()))
    with reading(path, f"compressed pickle, such as NATS-tss-v1_0-3ffb9{SUFFIX}"), bz2.open(path) as file:
        return read_table(file, path, done)
