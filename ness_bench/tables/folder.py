"""A table on disk: a folder of arrays and `table.json`, which names them and holds them to their digests.

    table.json                          schema, source, runs and their seeds, SHA-256 of every other file
    index.npy                           published index of each row
    SET-EPOCHS-accuracy-SPLIT.npy       float32 [architectures, seeds or 1, epochs]; see `Run`
    SET-EPOCHS-train-seconds.npy        float64 [architectures, seeds]
    SET-EPOCHS-evaluation-seconds-SPLIT.npy
    SET-latency_seconds.npy, …          float64 [architectures]

Arrays are memory-mapped: opening costs milliseconds, whatever their size.
"""

import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from ness_bench.errors import NessBenchError
from ness_bench.files import digest
from ness_bench.spaces import nas_bench_201
from ness_bench.tables.table import DATASETS, Networks, Run, Table

SCHEMA = 1


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Run(_Strict):
    training_set: str
    epochs: PositiveInt
    seeds: tuple[int, ...]
    splits: tuple[str, ...]
    timed: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.training_set}-{self.epochs}"


class _Manifest(_Strict):
    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[int, Field(alias="schema")]
    source: str
    runs: tuple[_Run, ...]
    networks: tuple[str, ...]
    files: dict[str, str]


def write_table(
    out: Path,
    source: str,
    index: npt.NDArray[np.int64],
    runs: dict[tuple[str, int], Run],
    networks: dict[str, Networks],
) -> None:
    """Write a table's folder, whole or not at all.

    Args:
        out: must not exist yet, or be empty.
        source: where the numbers come from, for people.
        index: published index of each row, ascending.
        runs: see `Table`.
        networks: see `Table`.

    Raises:
        NessBenchError: the folder is in use.
    """
    require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        described = []
        _save(partial, "index", index.astype(np.int16))
        for (training_set, epochs), run in sorted(runs.items()):
            entry = _Run(
                training_set=training_set,
                epochs=epochs,
                seeds=run.seeds,
                splits=tuple(run.accuracy),
                timed=tuple(run.evaluation_seconds),
            )
            described.append(entry)
            _save(partial, f"{entry.name}-train-seconds", run.train_seconds)
            for split, accuracy in run.accuracy.items():
                _save(partial, f"{entry.name}-accuracy-{split}", accuracy)
            for split, seconds in run.evaluation_seconds.items():
                _save(partial, f"{entry.name}-evaluation-seconds-{split}", seconds)
        for training_set, of_set in sorted(networks.items()):
            for quantity in fields(Networks):
                _save(partial, f"{training_set}-{quantity.name}", getattr(of_set, quantity.name))
        manifest = _Manifest(
            schema_=SCHEMA,
            source=source,
            runs=tuple(described),
            networks=tuple(sorted(networks)),
            files={path.name: digest(path) for path in sorted(partial.iterdir())},
        )
        (partial / "table.json").write_text(manifest.model_dump_json(by_alias=True, indent=1) + "\n")
        partial.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def require_free(out: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        NessBenchError: it does.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise NessBenchError(f"{out} exists and is not an empty folder; choose another --out, or remove it")


def _save(folder: Path, name: str, array: npt.NDArray[Any]) -> None:
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def open_table(folder: Path) -> Table:
    """Open a table, its arrays memory-mapped.

    Raises:
        NessBenchError: there is none, it is of another schema, or a file of it is missing or damaged.
    """
    path = folder / "table.json"
    if not path.is_file():
        raise NessBenchError(f"{folder} holds no table: table.json is missing; `ness-bench table import` makes one")
    manifest = _read(path)

    def array(name: str, dtype: type[np.generic], *shapes: tuple[int, ...]) -> npt.NDArray[Any]:
        file = f"{name}.npy"
        try:
            if file not in manifest.files:
                raise ValueError("table.json has no digest of it")
            mapped: npt.NDArray[Any] = np.load(folder / file, mmap_mode="r", allow_pickle=False)
            if mapped.dtype != dtype or all(mapped.shape[: len(shape)] != shape for shape in shapes):
                raise ValueError(f"it is {mapped.dtype} {list(mapped.shape)}")
        except (OSError, ValueError, EOFError) as error:
            raise NessBenchError(
                f"table {folder}: {file} is missing or damaged ({error}); import the table again"
            ) from None
        return mapped

    rows = array("index", np.int16, ())
    runs = {}
    for entry in manifest.runs:
        shape, mean = (len(rows), max(1, len(entry.seeds))), (len(rows), 1)
        runs[entry.training_set, entry.epochs] = Run(
            seeds=entry.seeds,
            accuracy={
                split: array(f"{entry.name}-accuracy-{split}", np.float32, shape, mean) for split in entry.splits
            },
            train_seconds=array(f"{entry.name}-train-seconds", np.float64, shape),
            evaluation_seconds={
                split: array(f"{entry.name}-evaluation-seconds-{split}", np.float64, shape) for split in entry.timed
            },
        )
    networks = {
        name: Networks(**{one.name: array(f"{name}-{one.name}", np.float64, (len(rows),)) for one in fields(Networks)})
        for name in manifest.networks
    }
    everything = nas_bench_201.architectures()
    return Table(manifest.source, digest(path), tuple(everything[row] for row in rows.tolist()), runs, networks)


def check_digests(folder: Path) -> None:
    """Compare every file of a table with its digest.

    Raises:
        NessBenchError: one differs; the message names it.
    """
    for name, expected in _read(folder / "table.json").files.items():
        if digest(folder / name) != expected:
            raise NessBenchError(f"table {folder}: {name} is damaged: its digest is not that of table.json")


def _read(path: Path) -> _Manifest:
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its text"
        raise NessBenchError(f"{path} describes no table ({where}: {first['msg']}); import the table again") from None
    if manifest.schema_ != SCHEMA:
        raise NessBenchError(
            f"{path} has schema {manifest.schema_}, this version of ness_bench reads schema {SCHEMA}; import it again"
        )
    unknown = {entry.training_set for entry in manifest.runs} - set(DATASETS)
    if unknown:
        raise NessBenchError(f"{path} describes no table: unknown training sets {', '.join(sorted(unknown))}")
    return manifest
