"""What a table holds, and what it says of one architecture, for a person to read."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.tables.table import EXAMPLES, SOURCES, Networks, Run, Table

Floats = npt.NDArray[np.float64]
Lines = list[tuple[str, str]]


def recorded(table: Table, datasets: Sequence[str]) -> Iterator[tuple[str, str, int, Run]]:
    """(data set, split, epochs, run) of each accuracy that the table has of some data sets, none twice."""
    listed = set()
    for dataset in datasets:
        for split, (training_set, of_run) in SOURCES[dataset].items():
            for (of_set, epochs), run in sorted(table.runs.items()):
                if of_set == training_set and of_run in run.accuracy and (training_set, of_run, epochs) not in listed:
                    listed.add((training_set, of_run, epochs))
                    yield dataset, split, epochs, run


def describe(table: Table, datasets: Sequence[str]) -> Lines:
    """(label, value) lines on a table."""
    lines = [
        ("table", f"{table.source} (digest {table.digest[:12]})"),
        ("architectures", f"{len(table):,} of {len(nas_bench_201.architectures()):,}"),
        ("accuracies", "in percent; means over the seeds that an architecture was trained with"),
    ]
    held = set()
    for dataset, split, epochs, run in recorded(table, datasets):
        training_set, of_run = SOURCES[dataset][split]
        held.add((training_set, of_run))
        curves, images = run.accuracy[of_run], EXAMPLES[training_set]
        means = _means(curves[:, :, -1])
        best = int(np.nanargmax(means))
        lines += [
            (
                f"{dataset} {split}, {epochs} epochs",
                f"trained on {images['train']:,} images, evaluated on {images[of_run]:,} others after "
                + ("each epoch" if curves.shape[2] > 1 else "the last epoch"),
            ),
            (
                "",
                f"{_seeds(run, curves[:, :, -1])}; median {np.nanmedian(means):.2f}, best {means[best]:.2f} (index "
                f"{nas_bench_201.index(table.architectures[best])})",
            ),
        ]
    for dataset in datasets:
        lacking = [split for split in ("val", "test") if SOURCES[dataset][split] not in held]
        if lacking and dataset in ("cifar10", "cifar100", "imagenet16-120"):
            lines.append((f"{dataset} {' and '.join(lacking)}", "not in this table; the official files have it"))
    for training_set in _training_sets(table, datasets):
        for (of_set, epochs), run in sorted(table.runs.items()):
            if of_set == training_set and np.isfinite(run.train_seconds).any():
                lines.append((f"{training_set} time", f"{epochs} epochs take {_spread(run.train_seconds)} s"))
        for label, values, unit in _quantities(table.networks[training_set]):
            if np.isfinite(values).any():
                lines.append((f"{training_set} {label}", f"{_spread(values)} {unit}"))
    return lines


def lookup(table: Table, row: int, datasets: Sequence[str]) -> Lines:
    """(label, value) lines on one architecture of a table."""
    architecture = table.architectures[row]
    lines = [
        ("architecture", to_string(architecture)),
        ("index", str(nas_bench_201.index(architecture))),
        ("functional class", to_string(nas_bench_201.canonical(architecture))),
    ]
    for dataset, split, epochs, run in recorded(table, datasets):
        values = run.accuracy[SOURCES[dataset][split][1]][row, :, -1].astype(np.float64)
        there = int(np.isfinite(values).sum())
        parts = [f"{np.nanmean(values):.2f} %" if there else "not trained"]
        if len(values) == len(run.seeds):
            parts += [
                f"seed {seed} " + ("not trained" if np.isnan(value) else f"{value:.2f}")
                for value, seed in zip(values.tolist(), run.seeds, strict=True)
            ]
        lines.append((f"{dataset} {split}, {epochs} epochs", "  ".join(parts)))
    for training_set in _training_sets(table, datasets):
        for (of_set, epochs), run in sorted(table.runs.items()):
            if of_set == training_set and np.isfinite(run.train_seconds[row]).any():
                seconds = np.nanmean(run.train_seconds[row])
                lines.append((f"{training_set} time", f"{epochs} epochs take {seconds:,.1f} s"))
        for label, values, unit in _quantities(table.networks[training_set]):
            if np.isfinite(values[row]):
                lines.append((f"{training_set} {label}", f"{values[row]:.4g} {unit}"))
    return lines


def _training_sets(table: Table, datasets: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(SOURCES[dataset][split][0] for dataset, split, _, _ in recorded(table, datasets)))


def _quantities(networks: Networks) -> list[tuple[str, Floats, str]]:
    return [
        ("latency", 1e3 * networks.latency_seconds, "ms for 256 images"),
        ("size", 1e-6 * networks.parameters, "million parameters"),
        ("cost", 1e-6 * networks.flops, "million FLOPs"),
    ]


def _seeds(run: Run, last: npt.NDArray[np.float32]) -> str:
    if last.shape[1] != len(run.seeds):
        return "one number an architecture"
    lacking = {seed: int(np.isnan(last[:, column]).sum()) for column, seed in enumerate(run.seeds)}
    return "seeds " + ", ".join(
        f"{seed} ({count:,} architectures lack it)" if count else str(seed) for seed, count in lacking.items()
    )


def _spread(values: Floats) -> str:
    low, median, high = np.nanquantile(values, [0, 0.5, 1])
    return f"{_number(low)} to {_number(high)}, median {_number(median)}"


def _means(of_seeds: npt.NDArray[np.float32]) -> Floats:
    """Over the seeds there are [architectures]; NaN where there is none."""
    there = np.isfinite(of_seeds)
    count = there.sum(1)
    total = np.where(there, of_seeds, 0).sum(1, dtype=np.float64)
    means: Floats = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return means


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
