"""Studies of trials: methods search one network in a table by a published protocol, many times over.

name = "nas-bench-201"
table = "embedded"          # or the folder of an imported table
protocol = "nas-bench-201"  # 12,000 simulated seconds; or nats-bench: 20,000, 40,000, 120,000
dataset = "cifar10"         # searched on; reported are all that the table has
strict = false              # whether the last trial must fit into the budget; as published, it may overshoot
repetitions = 500
methods = ["random-search", "regularized-evolution", "reinforce", "bohb"]
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import PositiveInt

from ness_bench.errors import NessBenchError
from ness_bench.methods import method
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.studies.plan import MethodPlans, Plan, swept
from ness_bench.studies.run import Run, distinct
from ness_bench.tables.named import table_named
from ness_bench.tables.table import SOURCES, Missing, Table
from ness_bench.tasks.protocols import protocol_named
from ness_bench.tasks.table import TableTask, signal_of

MISSING: Missing = "available-mean"
"""Scores are means over the seeds that an architecture was trained with: reports say so."""

MOMENTS = 60
"""Of the budget, equally spaced, at which the best network so far is noted."""


@dataclass(frozen=True)
class TrialRun:
    """A search in a table.

    Attributes:
        method: a registered name.
        label: what the reports call it.
        constants: all of the method's constants.
        table: `embedded`, or a folder.
        table_digest: of its content.
        protocol: name of the protocol.
        dataset: searched on.
        strict: whether the last trial must fit.
        repetition: the seed of everything random, and the choice of the trainings that are seen.
    """

    UNNAMED: ClassVar[tuple[str, ...]] = ("table", "label")
    RESULT: ClassVar[frozenset[str]] = frozenset({"architecture", "val", "scores", "trials", "seconds", "progress"})

    method: str
    label: str
    table: str
    table_digest: str
    protocol: str
    dataset: str
    strict: bool
    repetition: int
    constants: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"{self.label}, seed {self.repetition}"

    @property
    def digest(self) -> str:
        return self.table_digest

    def result(self) -> dict[str, Any]:
        """Search, then score what was found.

        Returns:
            architecture; val, the accuracy that the search last saw of it or nothing; scores, its score on each data
            set, whichever was searched on; trials and seconds paid for; progress, the score on the searched data set
            of the network that was best by validation accuracy at each of `MOMENTS`. Accuracies are shares.
        """
        table, protocol = table_named(self.table), protocol_named(self.protocol, self.dataset)
        task = TableTask.of(table, self.dataset, protocol, self.repetition, self.strict)
        searcher = method.create(self.method, self.constants)
        if not isinstance(searcher, MultiTrial):
            raise NessBenchError(_not_for_tables(self.method))
        found = searcher.find(task, np.random.default_rng(self.repetition))
        row, by_dataset = table.row(found), scores(table, protocol.report_epochs)
        seen = [accuracy for architecture, _, accuracy, _ in task.trials if architecture == found]
        return {
            "architecture": to_string(found),
            "val": seen[-1] if seen else None,
            "scores": {dataset: _share(score.accuracy[row]) for dataset, score in by_dataset.items()},
            "trials": len(task.trials),
            "seconds": task.budget.total - task.budget.left,
            "progress": _progress(task, by_dataset[self.dataset].accuracy),
        }

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """Method, seed, the score on each data set (share), trials, seconds, progress."""
        named = {"method": self.label, "registered": self.method, "seed": self.repetition}
        return {**named, **result["scores"], **{key: result[key] for key in ("trials", "seconds", "progress")}}


@dataclass(frozen=True, eq=False)
class Score:
    """What found networks are scored by on a data set.

    Attributes:
        split: test, or val where the table has no test accuracies.
        accuracy: in percent, float32 [architectures]; seeds that are missing are treated as `MISSING`.
    """

    split: str
    accuracy: npt.NDArray[np.float32]


def scores(table: Table, epochs: int) -> dict[str, Score]:
    """The scores after so many epochs, by data set, of those that the table has of all its architectures."""
    found = {}
    for dataset, splits in SOURCES.items():
        for split in ("test", "val"):
            training_set, of_run = splits[split]
            run = table.runs.get((training_set, epochs))
            if run is not None and of_run in run.accuracy and _is_whole(run.accuracy[of_run]):
                found[dataset] = Score(split, table.accuracy(dataset, split, epochs, missing=MISSING))
                break
    found.pop("cifar10-valid", None)  # its networks are trained to be selected, not to be reported
    return found


def _is_whole(curves: npt.NDArray[np.float32]) -> bool:
    return bool(np.isfinite(curves[:, :, -1]).any(1).all())


def _share(percent: np.floating) -> float:
    return round(float(percent) / 100, 8)


def _progress(task: TableTask, accuracy: npt.NDArray[np.float32]) -> list[float | None]:
    """The score of the best network so far at each moment; nothing before the first whole trial."""
    whole = [trial for trial in task.trials if trial[1] == task.epochs[-1]]
    seen = np.array([trial[2] for trial in whole])
    best = [int(seen[: place + 1].argmax()) for place in range(len(seen))]
    spent = np.array([trial[3] for trial in whole])
    moments = np.linspace(0, task.budget.total, MOMENTS + 1)[1:]
    done = np.searchsorted(spent, moments, side="right")
    return [
        None if not count else _share(accuracy[task.space.rows[whole[best[count - 1]][0]]]) for count in done.tolist()
    ]


def _not_for_tables(name: str) -> str:
    fitting = [other for other, kind in method.methods().items() if issubclass(kind, MultiTrial)]
    return (
        f'method "{name}" needs predictions, and a table holds accuracies only; methods for tables: '
        f"{', '.join(fitting)}; a prediction bank (`bank = …`) serves all"
    )


class TrialPlan(Plan):
    """A study on a table, as its file says it."""

    RUN: ClassVar[type[Run]] = TrialRun

    table: str
    protocol: str
    dataset: str
    methods: MethodPlans
    repetitions: PositiveInt
    strict: bool = False

    def ceiling(self) -> str:
        seconds = protocol_named(self.protocol, self.dataset).seconds[self.dataset]
        searches = len(swept(self.methods)) * self.repetitions
        return f"{searches * seconds:,.0f} simulated seconds of training, looked up"

    def runs(self) -> list[TrialRun]:
        """Every run, one repetition after the other.

        Raises:
            NessBenchError: an unknown table, protocol, data set, method or constant; a method that tables cannot
                serve; two runs that are the same.
        """
        table, protocol = table_named(self.table), protocol_named(self.protocol, self.dataset)
        signal_of(table, self.dataset, protocol)  # refuses a table that cannot guide this search
        if self.dataset not in scores(table, protocol.report_epochs):
            raise NessBenchError(
                f"the table ({table.source}) lacks {self.dataset} accuracies after {protocol.report_epochs} epochs of "
                "some of its architectures, so that not every network that may be found can be scored"
            )
        constants, methods = [], swept(self.methods)
        for entry in methods:
            searcher = method.create(entry.name, entry.constants)
            if not isinstance(searcher, MultiTrial):
                raise NessBenchError(_not_for_tables(entry.name))
            constants.append(asdict(searcher))
        runs = [
            TrialRun(
                entry.name,
                entry.called,
                self.table,
                table.digest,
                self.protocol,
                self.dataset,
                self.strict,
                seed,
                of_method,
            )
            for seed in range(self.repetitions)
            for entry, of_method in zip(methods, constants, strict=True)
        ]
        return distinct(self.name, ((run, (run.label, run.repetition)) for run in runs))
