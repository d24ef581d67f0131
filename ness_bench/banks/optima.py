"""The best ensembles of a bank, found once when it is built: what every search is measured against.

`optima.json` holds, by split, metric and size, the rows of the best ensemble of equal weights, its score, a
bound that no ensemble passes, and whether the two are proved to be one.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ness_bench.banks.codec import Labels
from ness_bench.banks.unpack import chunks, read_chunk
from ness_bench.ensembles.gram import Matrix, gram
from ness_bench.ensembles.oracle import METRICS, Optimum, best_ensemble
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.files import write_atomically

SIZES = (1, 2, 3, 4, 5, 10)
"""Of the ensembles whose optima a bank stores; as far as it has so many members."""

SECONDS = 180
"""After so long a search settles for the best found and a bound."""


@dataclass(frozen=True)
class OptimumJob:
    """Find one optimum and keep it.

    Attributes:
        folder: that holds the compressed predictions.
        members: how many there are.
        classes: of the images.
        labels: of the split, as a tuple: jobs that share them share what is read.
    """

    folder: Path
    split: str
    metric: str
    size: int
    members: int
    classes: int
    labels: tuple[int, ...]

    @property
    def path(self) -> Path:
        return self.folder / "optima" / f"{self.split}-{self.metric}-{self.size}.json"

    def run(self) -> None:
        predictions = _read(self.folder, self.split, self.members, self.classes, self.labels)
        matrix = (
            _gram(self.folder, self.split, self.members, self.classes, self.labels) if self.metric == "brier" else None
        )
        found = best_ensemble(predictions, self.metric, self.size, gram=matrix, seconds=SECONDS)
        content = json.dumps(asdict(found)).encode()
        write_atomically(self.path, lambda file: file.write(content))


@lru_cache(maxsize=1)
def _read(folder: Path, split: str, members: int, classes: int, labels: tuple[int, ...]) -> QuantisedPredictions:
    of = np.array(labels)
    parts = [read_chunk(folder, split, of, classes, chunk)[1] for chunk in chunks(members)]
    return QuantisedPredictions(np.concatenate(parts), of)


@lru_cache(maxsize=1)
def _gram(folder: Path, split: str, members: int, classes: int, labels: tuple[int, ...]) -> Matrix:
    return gram(_read(folder, split, members, classes, labels))


def optimum_jobs(folder: Path, members: int, classes: int, labels: dict[str, Labels]) -> list[OptimumJob]:
    """All optima that a bank stores; those that read the same come one after the other."""
    return [
        OptimumJob(folder, split, metric, size, members, classes, tuple(of_split.tolist()))
        for split, of_split in labels.items()
        for metric in METRICS
        for size in SIZES
        if size <= members
    ]


def write(path: Path, jobs: Sequence[OptimumJob]) -> None:
    """Gather what the jobs found in `optima.json`."""
    content: dict[str, Any] = {}
    for job in jobs:
        content.setdefault(job.split, {}).setdefault(job.metric, {})[str(job.size)] = json.loads(job.path.read_text())
    path.write_text(json.dumps(content, indent=1) + "\n")


def read(path: Path) -> dict[tuple[str, str, int], Optimum]:
    """The optima of a bank by split, metric and size."""
    return {
        (split, metric, int(size)): Optimum(**{**optimum, "rows": tuple(optimum["rows"])})
        for split, metrics in json.loads(path.read_text()).items()
        for metric, sizes in metrics.items()
        for size, optimum in sizes.items()
    }
