"""A table of trained architectures, and the lookups in it.

NAS-Bench-201 (Dong & Yang, ICLR 2020) and NATS-Bench (Dong et al., TPAMI 2021) trained every architecture of a
cell space with several seeds, for 12 and for 200 epochs. What is one number there is one number here:

- **Seeds are kept apart.** A seed that was not trained is NaN, never another seed or a mean in its place. What to do
  about it is the reader's choice, `missing`.
- **A data set is named by what papers report.** `cifar10` is two trainings: val is from the network that was
  trained on one half of the official train set and evaluated on the other; test is from the one that was trained
  on all of it. Both splits of the former, which the official files call so, are `cifar10-valid`.
- **A curve is not an end.** After 200 epochs, val and test of CIFAR-100 and ImageNet16-120 were evaluated once, at
  the end; along the way there is only their union, `val+test`, which no search should see.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import index as as_integer
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError, nearest
from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.nas_bench_201 import Architecture

Missing = Literal["error", "available-mean"]
"""What stands for a seed that an architecture was not trained with: nothing, or the mean of those there are."""

SOURCES = {  # data set: split: (training set, split of its run)
    "cifar10": {"val": ("cifar10-valid", "val"), "test": ("cifar10", "test")},
    "cifar10-valid": {"val": ("cifar10-valid", "val"), "test": ("cifar10-valid", "test")},
    "cifar100": {split: ("cifar100", split) for split in ("val", "test", "val+test")},
    "imagenet16-120": {split: ("imagenet16-120", split) for split in ("val", "test", "val+test")},
}

DATASETS = tuple(SOURCES)

EXAMPLES = {  # training set: images in the train split and in each evaluated one
    "cifar10-valid": {"train": 25_000, "val": 25_000, "test": 10_000},
    "cifar10": {"train": 50_000, "test": 10_000},
    "cifar100": {"train": 50_000, "val": 5_000, "test": 5_000, "val+test": 10_000},
    "imagenet16-120": {"train": 151_700, "val": 3_000, "test": 3_000, "val+test": 6_000},
}


@dataclass(frozen=True, eq=False)
class Run:
    """Every architecture trained on one training set for so many epochs.

    Attributes:
        seeds: of the second axis of all arrays; empty where a file does not say, and one number an architecture is
            all that it holds.
        accuracy: by split, in percent, float32 [architectures, seeds, epochs]; with one epoch that is the last. NaN
            where a seed was not trained. A file that gives a split's mean over seeds has [architectures, 1, epochs].
        train_seconds: of the whole run, float64 [architectures, seeds]; NaN where unknown.
        evaluation_seconds: by split, of one pass over it, float64 [architectures, seeds].
    """

    seeds: tuple[int, ...]
    accuracy: Mapping[str, npt.NDArray[np.float32]]
    train_seconds: npt.NDArray[np.float64]
    evaluation_seconds: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks themselves, as built for one training set; each float64 [architectures], NaN where unknown.

    Attributes:
        latency_seconds: of a forward pass of 256 images, on the authors' machine.
        parameters: weights and biases.
        flops: of a forward pass of one image, as the authors count them.
    """

    latency_seconds: npt.NDArray[np.float64]
    parameters: npt.NDArray[np.float64]
    flops: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """A table; a row an architecture.

    Attributes:
        source: where the numbers come from, for people.
        digest: of its content, in hexadecimal.
        architectures: of the rows, in the published index order.
        runs: by training set and epochs.
        networks: by training set.
    """

    source: str
    digest: str
    architectures: tuple[Architecture, ...]
    runs: Mapping[tuple[str, int], Run]
    networks: Mapping[str, Networks]
    _found: dict[tuple[object, ...], npt.NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def _rows(self) -> dict[Architecture, int]:
        return {architecture: row for row, architecture in enumerate(self.architectures)}

    def row(self, architecture: Architecture | str | int) -> int:
        """The row of an architecture.

        Args:
            architecture: a published string, a tuple of operation indices in our order, or a published index
                (0 to 15,624), also as a NumPy integer.

        Raises:
            NessBenchError: the string is malformed, the index is out of range, or the table lacks the architecture.
        """
        if isinstance(architecture, str):
            wanted = nas_bench_201.parse(architecture)
        elif isinstance(architecture, tuple):
            wanted = nas_bench_201.from_indices(architecture)
        else:
            wanted = _published(architecture)
        if wanted not in self._rows:
            raise NessBenchError(
                f"the table holds {len(self):,} of {len(nas_bench_201.architectures()):,} architectures, and not "
                f"{nas_bench_201.to_string(wanted)}"
            )
        return self._rows[wanted]

    def rows(self, architectures: Iterable[Architecture | str | int]) -> npt.NDArray[np.int64]:
        """The rows of many architectures, to index arrays with; see `row`."""
        return np.array([self.row(architecture) for architecture in architectures], np.int64)

    def run(self, dataset: str, split: str, epochs: int) -> Run:
        """The run that a split's numbers come from.

        Raises:
            NessBenchError: the data set, the split or the run does not exist; the message says which do.
        """
        training_set, of_run = self._source(dataset, split)
        run = self.runs.get((training_set, epochs))
        if run is None or of_run not in run.accuracy:
            held = [
                f"{name} {a_split} after {length} epochs"
                for name in DATASETS
                for a_split, (its_set, its_split) in SOURCES[name].items()
                for (its, length), other in sorted(self.runs.items())
                if its == its_set and its_split in other.accuracy
            ]
            raise NessBenchError(
                f"the table ({self.source}) has no {dataset} {split} accuracy after {epochs} epochs; it has: "
                + ("; ".join(held) or "none")
            )
        return run

    def _source(self, dataset: str, split: str) -> tuple[str, str]:
        if dataset not in SOURCES:
            known = ", ".join(DATASETS)
            raise NessBenchError(f'unknown data set "{dataset}"{nearest(dataset, list(DATASETS))}; known: {known}')
        if split not in SOURCES[dataset]:
            raise NessBenchError(f'{dataset} has no split "{split}"; it has: {", ".join(SOURCES[dataset])}')
        return SOURCES[dataset][split]

    def curves(self, dataset: str, split: str, epochs: int) -> npt.NDArray[np.float32]:
        """Accuracies in percent, float32 [architectures, seeds, epochs], or [architectures, seeds, 1] after the last.

        Raises:
            NessBenchError: see `run`.
        """
        return self.run(dataset, split, epochs).accuracy[self._source(dataset, split)[1]]

    def accuracy(
        self,
        dataset: str,
        split: str,
        epochs: int,
        seed: int | None = None,
        *,
        at: int | None = None,
        missing: Missing = "error",
    ) -> npt.NDArray[np.float32]:
        """Accuracies in percent, float32 [architectures]; asked again, the same array. It is read-only.

        Args:
            dataset: one of `DATASETS`.
            split: val, test, or where there is one the union val+test.
            epochs: that the run was to take, 12 or 200: its learning rate falls to 0 by then.
            seed: of the run; None for the mean over seeds.
            at: after which of the epochs, counted from 1; None for the last.
            missing: what to do where the seed, or for a mean one of the seeds, was not trained: raise an error, or
                take the mean of those that were.

        Raises:
            NessBenchError: there is no such number, or some are missing; see `missing`.
        """
        key = (dataset, split, epochs, seed, at, missing)
        if key not in self._found:
            self._found[key] = self._accuracy(dataset, split, epochs, seed, at, missing)
        return self._found[key]

    def _accuracy(
        self, dataset: str, split: str, epochs: int, seed: int | None, at: int | None, missing: Missing
    ) -> npt.NDArray[np.float32]:
        if missing not in get_args(Missing):
            raise NessBenchError(f'missing was given as "{missing}"; allowed: {", ".join(get_args(Missing))}')
        run, curves = self.run(dataset, split, epochs), self.curves(dataset, split, epochs)
        if at is not None and not 1 <= at <= epochs:
            raise NessBenchError(f"epoch {at} was asked for; a run of {epochs} epochs has 1 to {epochs}")
        if at not in (None, epochs) and curves.shape[2] == 1:
            raise NessBenchError(
                f"{dataset} {split} of runs of {epochs} epochs was evaluated after the last only, not after {at}"
            )
        if seed is not None and seed not in run.seeds:
            seeds = ", ".join(map(str, run.seeds)) or "none: the table holds one number an architecture"
            raise NessBenchError(f"{dataset} has no seed {seed} for runs of {epochs} epochs; it has: {seeds}")
        if seed is not None and curves.shape[1] < len(run.seeds):
            raise NessBenchError(
                f"{dataset} {split} after {epochs} epochs: the table holds the mean over seeds, and no seed of its own"
            )
        of_seeds = np.asarray(curves[:, :, -1 if at is None or curves.shape[2] == 1 else at - 1])
        there = np.isfinite(of_seeds)
        wanted = there if seed is None else there[:, [run.seeds.index(seed)]]
        lacking = int((~wanted.all(1)).sum())
        if lacking and missing == "error":
            seeds = ", ".join(map(str, run.seeds)) or "of the table"
            what = f"seed {seed}" if seed is not None else f"one of the seeds {seeds}"
            raise NessBenchError(
                f"{dataset} {split} after {epochs} epochs: {lacking:,} of {len(self):,} architectures were not trained "
                f'with {what}; missing="available-mean" takes the mean of the seeds that they have'
            )
        if not there.any(1).all():
            raise NessBenchError(f"{dataset} {split}: some architectures have no run of {epochs} epochs at all")
        accuracy: npt.NDArray[np.float32] = np.asarray(np.nanmean(of_seeds, axis=1, dtype=np.float64), np.float32)
        if seed is not None:
            of_seed = of_seeds[:, run.seeds.index(seed)]
            accuracy = np.where(np.isfinite(of_seed), of_seed, accuracy)
        accuracy.setflags(write=False)
        return accuracy


def _published(index: object) -> Architecture:
    everything = nas_bench_201.architectures()
    try:
        position = as_integer(index)  # type: ignore[arg-type]
    except TypeError:
        raise NessBenchError(
            f"{index!r} is no architecture; give a published string, its index (0 to {len(everything) - 1}), or a "
            "tuple of operation indices"
        ) from None
    if not 0 <= position < len(everything):
        raise NessBenchError(f"index {position} was given; indices run from 0 to {len(everything) - 1}")
    return everything[position]
