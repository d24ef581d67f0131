"""Studies of ensembles: methods search a prediction bank at identical budgets, the harness scores what they found.

name = "quick"
bank = "fashion"            # a shipped bank or a folder
sizes = [3, 5]              # members of an ensemble, up to 15
budgets = [20, 40, 80]      # training equivalents (TE)
cost_model = "measured"     # or "nas-bench-201": supernets are charged as at full scale
repetitions = 10            # seeds 0 to 9
methods = ["nes-rs", { name = "ness-mc", label = "ness-mc cold", constants = { temperature = 1.0 } }]
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from ness_bench.banks.bank import Bank, MemberTable
from ness_bench.banks.named import open_named
from ness_bench.ensembles.metrics import EnsembleMetrics, evaluate
from ness_bench.ensembles.quantised import MOST_MEMBERS, QuantisedPredictions
from ness_bench.errors import NessBenchError
from ness_bench.methods import method
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.studies.plan import MethodPlans, Plan
from ness_bench.studies.run import distinct
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.cost import MEASURED
from ness_bench.tasks.task import Ensemble

_open_once = lru_cache(maxsize=4)(open_named)


@dataclass(frozen=True)
class EnsembleRun:
    """A search on a bank.

    Attributes:
        method: a registered name.
        label: what the reports call it.
        constants: all of the method's constants.
        bank: name or folder of the bank.
        bank_digest: of its content.
        size: ensemble members asked for.
        budget: in TE.
        cost_model: what the budget is counted by; see `tasks.cost`.
        repetition: the seed of everything random.
    """

    UNNAMED: ClassVar[tuple[str, ...]] = ("bank", "label")
    RESULT: ClassVar[frozenset[str]] = frozenset({"members", "weights", "averaging", "distinct", "val", "test", "cost"})

    method: str
    label: str
    bank: str
    bank_digest: str
    size: int
    budget: float
    cost_model: str
    repetition: int
    constants: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"{self.label}, size {self.size}, budget {self.budget:g}, seed {self.repetition}"

    def result(self) -> dict[str, Any]:
        return search(self, _open_once(self.bank))

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """Method, size, budget (TE), seed, the test metrics, distinct functional classes, costs (TE)."""
        named = {"method": self.label, "size": self.size, "budget": self.budget, "seed": self.repetition}
        costs = {f"cost_{purpose}": spent for purpose, spent in result["cost"].items()}
        measured = {**result["test"], "distinct": result["distinct"]}
        return {**named, **measured, **costs, "cost": sum(result["cost"].values())}


def score(members: MemberTable, predictions: QuantisedPredictions, ensemble: Ensemble) -> EnsembleMetrics:
    """The metrics of an ensemble on one split of a bank."""
    rows = [members.row(member.architecture, member.seed) for member in ensemble.members]
    weights = np.array(ensemble.weights)
    return evaluate(predictions.probabilities(rows), predictions.labels, weights, ensemble.averaging)


def search(run: EnsembleRun, bank: Bank) -> dict[str, Any]:
    """Run a search and score what it found on both splits.

    Raises:
        NessBenchError: an unknown method or constant, a budget that is too small, …
    """
    task = BankTask.of(bank, run.size, run.budget, run.repetition, run.cost_model)
    searcher = method.create(run.method, run.constants)
    ensemble = searcher.search(task, np.random.default_rng(run.repetition))
    if len(ensemble.members) > run.size or not all(map(task.sold, ensemble.members)):
        raise NessBenchError(
            f'method "{run.method}" returned {len(ensemble.members)} members for an ensemble of {run.size}; '
            "a method returns at most as many as asked for, each of them trained by its task"
        )
    return {
        "members": [{"architecture": to_string(m.architecture), "seed": m.seed} for m in ensemble.members],
        "weights": list(ensemble.weights),
        "averaging": ensemble.averaging,
        "distinct": len({member.architecture for member in ensemble.members}),
        "val": asdict(score(bank.members, bank.val, ensemble)),
        "test": asdict(score(bank.members, bank.test, ensemble)),
        "cost": task.budget.spent,
    }


class EnsemblePlan(Plan):
    """A study on a bank, as its file says it."""

    bank: str
    methods: MethodPlans
    sizes: list[Annotated[PositiveInt, Field(le=MOST_MEMBERS)]] = Field(min_length=1)
    budgets: list[PositiveFloat] = Field(min_length=1)
    cost_model: str = MEASURED
    repetitions: PositiveInt

    def runs(self) -> list[EnsembleRun]:
        """Every run, one repetition after the other.

        Raises:
            NessBenchError: an unknown bank, method or constant; a size or budget that the bank rules out; two
                runs that are the same.
        """
        bank = open_named(self.bank)
        for size in self.sizes:
            for budget in self.budgets:
                BankTask.of(bank, size, budget, 0, self.cost_model)  # refuses what no method could do
        constants = [asdict(method.create(entry.name, entry.constants)) for entry in self.methods]
        runs = [
            EnsembleRun(
                entry.name,
                entry.label or entry.name,
                self.bank,
                bank.digest,
                size,
                budget,
                self.cost_model,
                seed,
                of_method,
            )
            for seed in range(self.repetitions)
            for size in self.sizes
            for budget in self.budgets
            for entry, of_method in zip(self.methods, constants, strict=True)
        ]
        return distinct(self.name, ((run, (run.label, run.size, run.budget, run.repetition)) for run in runs))
