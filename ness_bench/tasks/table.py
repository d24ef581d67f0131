"""A task served from a table: a trial's accuracy and the seconds that it took are looked up."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tables.table import EXAMPLES, SOURCES, Table
from ness_bench.tasks.budget import Budget
from ness_bench.tasks.protocols import SearchProtocol
from ness_bench.tasks.trials import Trials


@dataclass(frozen=True)
class Signal:
    """What guides a search on a table.

    Attributes:
        epochs: of the trainings.
        seconds: that the search may spend.
        as_published: whether both are the protocol's. A table that lacks its epochs is searched by those that the
            protocol reports, for so many more seconds that as many trainings can be paid.
        lengths: after how many epochs a trial can be evaluated, ascending.
        architectures: rows of the table that were trained, int64.
        validation_measured: whether the seconds of a pass over the validation split are the table's own. Where it
            has none they are estimated: a third of what training on as many images takes.
    """

    epochs: int
    seconds: float
    as_published: bool
    lengths: tuple[int, ...]
    architectures: npt.NDArray[np.int64]
    validation_measured: bool


def signal_of(table: Table, dataset: str, protocol: SearchProtocol) -> Signal:
    """What a table has to guide a search with.

    Raises:
        NessBenchError: it has validation accuracies of neither the protocol's signal nor its report, or no times.
    """
    training_set = SOURCES[dataset]["val"][0]
    wanted = table.runs.get((training_set, protocol.signal_epochs))
    published = wanted is not None and "val" in wanted.accuracy
    epochs = protocol.signal_epochs if published else protocol.report_epochs
    run = table.run(dataset, "val", epochs)
    curves = table.curves(dataset, "val", epochs)
    lengths = (epochs,) if curves.shape[2] == 1 else tuple(range(1, epochs + 1))
    trained = np.flatnonzero(np.isfinite(curves[:, :, -1]).any(1))
    if not np.isfinite(run.train_seconds[trained]).any(1).all():
        raise NessBenchError(
            f"the table ({table.source}) does not say how long all trainings of {epochs} epochs on {dataset} took, and "
            "a search is paid in seconds; import it with its times"
        )
    seconds = protocol.seconds[dataset] * epochs / protocol.signal_epochs
    return Signal(epochs, seconds, published, lengths, trained, "val" in run.evaluation_seconds)


class TableTask(Trials):
    """One search on a table.

    It is handed validation accuracies only: no path leads from it to the test split.

    Args:
        space: what the table covers.
        accuracy: float64 [architectures, epochs], as shares: of one training of each.
        train_seconds: of the whole training [architectures].
        validation_seconds: of one pass over the validation split [architectures].
        epochs: that the second axis of `accuracy` stands for.
        budget: in seconds.

    Attributes:
        trials: what was paid for, in order: (architecture, epochs, accuracy, seconds spent until then).
    """

    def __init__(
        self,
        space: Space,
        accuracy: npt.NDArray[np.float64],
        train_seconds: npt.NDArray[np.float64],
        validation_seconds: npt.NDArray[np.float64],
        epochs: tuple[int, ...],
        budget: Budget,
    ) -> None:
        super().__init__(space, epochs, budget)
        self.trials: list[tuple[Architecture, int, float, float]] = []
        self._shares = accuracy
        self._train_seconds = train_seconds
        self._validation_seconds = validation_seconds

    @classmethod
    def of(
        cls, table: Table, dataset: str, protocol: SearchProtocol, repetition: int = 0, strict: bool = False
    ) -> "TableTask":
        """A task on a table.

        Args:
            table: to look up in.
            dataset: to search on.
            protocol: what guides the search and what it may spend.
            repetition: decides which seed's training of each architecture is seen, drawn from those there are.
            strict: whether the last trial must fit into the budget; as published, it may overshoot.

        Raises:
            NessBenchError: see `signal_of`.
        """
        signal = signal_of(table, dataset, protocol)
        curves = table.curves(dataset, "val", signal.epochs)
        there = np.isfinite(curves[:, :, -1])
        draws = np.random.default_rng([repetition, 1]).random(there.shape)
        seeds = np.where(there, draws, -1).argmax(1)
        rows = signal.architectures
        run = table.run(dataset, "val", signal.epochs)
        train = np.nanmean(run.train_seconds[rows], axis=1)
        if signal.validation_measured:
            validation = np.nanmean(run.evaluation_seconds["val"][rows], axis=1)
        else:
            images = EXAMPLES[SOURCES[dataset]["val"][0]]
            validation = train / signal.epochs * images["val"] / images["train"] / 3
        whole = Space.whole()
        covered = tuple(table.architectures[row] for row in rows.tolist())
        return cls(
            whole if len(covered) == whole.size else Space(whole.name, covered),
            curves[rows, seeds[rows]].astype(np.float64) / 100,
            train,
            validation,
            signal.lengths,
            Budget(signal.seconds, "s", overshoot=not strict),
        )

    def _price(self, network: Architecture, epochs: int) -> float:
        return float(self._train_seconds[self.space.rows[network]]) * epochs / self.epochs[-1]

    def _validation_price(self, network: Architecture) -> float:
        return float(self._validation_seconds[self.space.rows[network]])

    def _accuracy(self, network: Architecture, epochs: int) -> float:
        accuracy = float(self._shares[self.space.rows[network], self.epochs.index(epochs)])
        self.trials.append((network, epochs, accuracy, self.budget.total - self.budget.left))
        return accuracy
