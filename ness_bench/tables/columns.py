"""A table from a file with a column a quantity, as NAS-Bench-201 is passed on in: Parquet or CSV.

`arch` holds the published strings. For each DATA of c10, c100 and in16 there may be:

    DATA_valid200_s0, _s1, _s2      validation accuracy in percent, after 200 epochs, of seeds 777, 888 and 999
    DATA_valid200_mean              where these are missing: its mean over seeds, or that of one run
    DATA_test200_…                  of test accuracy; for c10, of the network that was trained on all images
    DATA_valid12…, DATA_test12…     after 12 epochs; without _mean in their name as well
    DATA_train_time200_s            seconds of 200 epochs; for c10, on the half of the images that leaves validation
    DATA_latency_s                  seconds of a forward pass of 256 images
    DATA_params_M                   weights and biases, in millions

Any other column is left alone.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures, parse, to_string
from ness_bench.spaces.nas_bench_201 import index as published_index
from ness_bench.tables.folder import require_free, write_table
from ness_bench.tables.table import Networks, Run

Floats = npt.NDArray[np.float64]

SEEDS = {777: "s0", 888: "s1", 999: "s2"}

SPLITS = {  # training set: the data that its columns are named after, and their names of its splits
    "cifar10-valid": ("c10", {"val": "valid"}),
    "cifar10": ("c10", {"test": "test"}),
    "cifar100": ("c100", {"val": "valid", "test": "test"}),
    "imagenet16-120": ("in16", {"val": "valid", "test": "test"}),
}

EPOCHS = (12, 200)

IMAGES = {"cifar10": 2}
"""How many times the images that its column of training times is for."""

_KNOWN = re.compile(r"(c10|c100|in16)_((valid|test)(12|200)(_mean|_s[012])?|train_time200_s|latency_s|params_M)")


def import_columns(path: Path, out: Path) -> None:
    """Make a table of a Parquet or CSV file of some or all architectures, in any order.

    Args:
        path: the file.
        out: folder of the table; must not exist yet, or be empty.

    Raises:
        NessBenchError: the file is of neither kind, or lacks what a table needs; an architecture is unknown or comes
            twice; or an accuracy is none. Nothing is written then.
    """
    require_free(out)
    columns = _read(path)
    if "arch" not in columns:
        raise NessBenchError(f'{path} has no column "arch", of strings such as {to_string(architectures()[0])}')
    index = _indices(columns["arch"].to_pylist(), path)
    order = np.argsort(index)
    known = filter(_KNOWN.fullmatch, columns)
    quantities = {name: _numbers(columns[name], name, path)[order] for name in known}
    runs = {
        (training_set, epochs): run
        for training_set in SPLITS
        for epochs in EPOCHS
        if (run := _run(quantities, training_set, epochs, len(index))) is not None
    }
    if not runs:
        raise NessBenchError(f"{path} has no column of accuracies, such as c10_valid200_mean")
    networks = {training_set: _networks(quantities, training_set, len(index)) for training_set, _ in runs}
    source = f"columns of {path.name}"
    if len(index) < len(architectures()):
        source += f", {len(index):,} of {len(architectures()):,} architectures"
    write_table(out, source, index[order], runs, networks)


def _read(path: Path) -> dict[str, Any]:
    from pyarrow import csv, parquet

    readers = {".parquet": parquet.read_table, ".csv": csv.read_csv}
    if path.suffix not in readers:
        raise NessBenchError(f"{path} was given; columns are read from files named .parquet or .csv")
    try:
        table = readers[path.suffix](str(path))
    except (OSError, ValueError) as error:
        raise NessBenchError(f"{path} cannot be read: {error}") from error
    twice = {name for name in table.column_names if table.column_names.count(name) > 1}
    if twice:
        raise NessBenchError(f"{path} holds columns twice: {', '.join(sorted(twice))}")
    return dict(zip(table.column_names, table.columns, strict=True))


def _indices(strings: list[Any], path: Path) -> npt.NDArray[np.int64]:
    found: dict[int, int] = {}  # published index: row
    for row, string in enumerate(strings):
        try:
            index = published_index(parse(str(string)))
        except NessBenchError as error:
            raise NessBenchError(f"{path}, row {row}: {error}") from None
        if index in found:
            raise NessBenchError(f"{path}: rows {found[index]} and {row} are the same architecture, {string}")
        found[index] = row
    return np.array(list(found), np.int64)


def _numbers(column: Any, name: str, path: Path) -> Floats:
    try:
        numbers: Floats = column.cast("float64").to_numpy()
    except (ValueError, NotImplementedError) as error:
        raise NessBenchError(f"{path}: column {name} does not hold numbers ({error})") from None
    if re.search("valid|test", name) and ((numbers < 0) | (numbers > 100)).any():
        raise NessBenchError(f"{path}: column {name} does not hold accuracies in percent: some are not in 0 to 100")
    if (numbers < 0).any():
        raise NessBenchError(f"{path}: column {name} holds negative numbers")
    return numbers


def _run(quantities: Mapping[str, Floats], training_set: str, epochs: int, rows: int) -> Run | None:
    data, splits = SPLITS[training_set]
    columns = {split: f"{data}_{name}{epochs}" for split, name in splits.items()}
    seeds = [seed for seed in SEEDS if any(f"{column}_{SEEDS[seed]}" in quantities for column in columns.values())]
    unknown = np.full(rows, np.nan)
    accuracy = {}
    for split, column in columns.items():
        of_seeds = [quantities.get(f"{column}_{SEEDS[seed]}", unknown) for seed in seeds]
        mean = quantities.get(f"{column}_mean", quantities.get(column, unknown))
        chosen = np.stack(of_seeds if np.isfinite(of_seeds).any() else [mean], axis=1)
        if np.isfinite(chosen).any():
            accuracy[split] = chosen[:, :, None].astype(np.float32)
    if not accuracy:
        return None
    trained = np.zeros((rows, max(1, len(seeds))), bool)
    for of_split in accuracy.values():
        if of_split.shape[:2] == trained.shape:
            trained |= np.isfinite(of_split[:, :, 0])
    seconds = quantities.get(f"{data}_train_time200_s", unknown) * (epochs / 200) * IMAGES.get(training_set, 1)
    return Run(tuple(seeds), accuracy, np.where(trained, seconds[:, None], np.nan), {})


def _networks(quantities: Mapping[str, Floats], training_set: str, rows: int) -> Networks:
    data, _ = SPLITS[training_set]
    unknown = np.full(rows, np.nan)
    return Networks(
        latency_seconds=quantities.get(f"{data}_latency_s", unknown),
        parameters=np.rint(1e6 * quantities.get(f"{data}_params_M", unknown)),
        flops=unknown,
    )
