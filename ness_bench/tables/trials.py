"""From single trainings, in the order in which a file tells of them, to the arrays of a table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.tables.table import Networks, Run

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trial:
    """One training of one architecture.

    Attributes:
        index: published index of the architecture.
        training_set: what it was trained on; see `table.SOURCES`.
        epochs: that it was trained for.
        seed: of the training.
        accuracy: by split, in percent, float32 [epochs], NaN where it was not evaluated; or [1], after the last only.
        train_seconds: of the whole training; NaN if unknown.
        evaluation_seconds: by split, of one pass over it.
        latency_seconds: of the network; see `table.Networks`.
        parameters: of the network.
        flops: of the network.
    """

    index: int
    training_set: str
    epochs: int
    seed: int
    accuracy: Mapping[str, npt.NDArray[np.float32]]
    train_seconds: float
    evaluation_seconds: Mapping[str, float]
    latency_seconds: float
    parameters: float
    flops: float


def assemble(
    trials: Iterable[Trial],
) -> tuple[npt.NDArray[np.int64], dict[tuple[str, int], Run], dict[str, Networks]]:
    """The published indices of the rows, the runs and the networks that trials make; see `table.Table`.

    A network's latency, parameters and FLOPs are those of its trials' mean, NaN left out: the official files repeat
    them with every trial.

    Raises:
        NessBenchError: a trial comes twice, or there is none.
    """
    of_run: dict[tuple[str, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        of_run[trial.training_set, trial.epochs].append(trial)
    if not of_run:
        raise NessBenchError("the source tells of no training; nothing is imported")
    index = np.array(sorted({trial.index for of_one in of_run.values() for trial in of_one}), np.int64)
    rows = {position: row for row, position in enumerate(index.tolist())}
    runs = {key: _run(of_one, rows) for key, of_one in of_run.items()}
    networks = {
        name: _networks([trial for key, of_one in of_run.items() if key[0] == name for trial in of_one], rows)
        for name in {name for name, _ in of_run}
    }
    return index, runs, networks


def _run(trials: list[Trial], rows: Mapping[int, int]) -> Run:
    seeds = sorted({trial.seed for trial in trials})
    columns = {seed: column for column, seed in enumerate(seeds)}
    shape = (len(rows), len(columns))
    taken = np.zeros(shape, bool)
    train = np.full(shape, np.nan)
    evaluation = {split: np.full(shape, np.nan) for split in _splits(trial.evaluation_seconds for trial in trials)}
    accuracy = {
        split: np.full((*shape, max(len(t.accuracy[split]) for t in trials if split in t.accuracy)), np.nan, np.float32)
        for split in _splits(trial.accuracy for trial in trials)
    }
    for trial in trials:
        where = rows[trial.index], columns[trial.seed]
        if taken[where]:
            raise NessBenchError(
                f"architecture {trial.index} comes twice on {trial.training_set}, {trial.epochs} epochs, seed "
                f"{trial.seed}; nothing is imported"
            )
        taken[where] = True
        train[where] = trial.train_seconds
        for split, seconds in trial.evaluation_seconds.items():
            evaluation[split][where] = seconds
        for split, curve in trial.accuracy.items():
            accuracy[split][where][-len(curve) :] = curve
    return Run(tuple(seeds), accuracy, train, evaluation)


def _splits(of_trials: Iterable[Mapping[str, object]]) -> list[str]:
    return sorted({split for of_trial in of_trials for split in of_trial})


def _networks(trials: list[Trial], rows: Mapping[int, int]) -> Networks:
    def mean(values: list[float]) -> Floats:
        total, count = np.zeros(len(rows)), np.zeros(len(rows))
        for trial, value in zip(trials, values, strict=True):
            if np.isfinite(value):
                total[rows[trial.index]] += value
                count[rows[trial.index]] += 1
        means: Floats = np.divide(total, count, out=np.full(len(rows), np.nan), where=count > 0)
        return means

    return Networks(
        latency_seconds=mean([trial.latency_seconds for trial in trials]),
        parameters=mean([trial.parameters for trial in trials]),
        flops=mean([trial.flops for trial in trials]),
    )
