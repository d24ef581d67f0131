"""Studies of ensembles: methods search a prediction bank at identical budgets, the harness scores what they found.

name = "quick"
bank = "fashion"            # a shipped bank or a folder
sizes = [3, 5]              # members of an ensemble, up to 15
budgets = [20, 40, 80]      # training equivalents (TE)
cost_model = "measured"     # or "nas-bench-201": supernets are charged as at full scale
repetitions = 10            # seeds 0 to 9
methods = ["nes-rs", "ness-mc", { name = "ness-svgd-rd", sweep = { delta = [0, 1, 10] } }]
reference = "nes-rs"        # the method that others are held against; unless said, the first
metrics = ["nll", "ece"]    # that are shown, of `studies.metrics`; unless said, the standard ones
margins = { nll = 0.015 }   # by how much a method may get worse before `studies.gate` says so, in the metric's units
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, PositiveInt

from ness_bench.banks.bank import Bank, MemberTable
from ness_bench.banks.named import open_named
from ness_bench.ensembles.metrics import BINS, EnsembleMetrics, calibration_bins, ensemble_probabilities, evaluate
from ness_bench.ensembles.quantised import MOST_MEMBERS, QuantisedPredictions
from ness_bench.errors import NessBenchError, nearest
from ness_bench.methods import method
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.studies.metrics import STANDARD, metric_named
from ness_bench.studies.plan import MethodPlans, Plan, swept
from ness_bench.studies.run import Run, distinct
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
        metrics: names of those of other packages to compute.
    """

    UNNAMED: ClassVar[tuple[str, ...]] = ("bank", "label")
    RESULT: ClassVar[frozenset[str]] = frozenset(
        {"members", "weights", "averaging", "distinct", "val", "test", "reliability", "cost"}
    )

    method: str
    label: str
    bank: str
    bank_digest: str
    size: int
    budget: float
    cost_model: str
    repetition: int
    constants: Mapping[str, Any]
    metrics: Sequence[str] = ()

    @property
    def title(self) -> str:
        return f"{self.label}, size {self.size}, budget {self.budget:g}, seed {self.repetition}"

    @property
    def digest(self) -> str:
        return self.bank_digest

    def result(self) -> dict[str, Any]:
        return search(self, _open_once(self.bank))

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """As the records have it.

        Returns:
            method, size, budget (TE), seed; the test metrics; distinct functional classes; architectures of the
            members, one of double weight twice; reliability, see `reliability`; cost_PURPOSE and cost (TE).
        """
        named = {"method": self.label, "size": self.size, "budget": self.budget, "seed": self.repetition}
        costs = {f"cost_{purpose}": spent for purpose, spent in result["cost"].items()}
        found = {"distinct": result["distinct"], "reliability": result["reliability"]}
        copies = zip(result["members"], _copies(result["weights"], self.size), strict=True)
        found["architectures"] = [member["architecture"] for member, times in copies for _ in range(times)]
        return {**named, **result["test"], **found, **costs, "cost": sum(result["cost"].values())}


def _copies(weights: Sequence[float], size: int) -> list[int]:
    """How often each member stands among `size`, by its weight; once, where weights are those of no such ensemble."""
    shares = size * np.array(weights)
    copies = shares.round()
    return copies.astype(int).tolist() if np.allclose(shares, copies, rtol=0, atol=1e-6) else [1] * len(weights)


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
        "val": score(bank.members, bank.val, ensemble, run.metrics),
        "test": score(bank.members, bank.test, ensemble, run.metrics),
        "reliability": reliability(bank.members, bank.test, ensemble),
        "cost": task.budget.spent,
    }


def score(
    members: MemberTable, predictions: QuantisedPredictions, ensemble: Ensemble, more: Sequence[str] = ()
) -> dict[str, float]:
    """The metrics of an ensemble on one split of a bank: those of `EnsembleMetrics`, and some of other packages.

    Raises:
        NessBenchError: one of them is no finite number.
    """
    probabilities, labels = _predicted(members, predictions, ensemble), predictions.labels
    weights = np.array(ensemble.weights)
    scores = asdict(evaluate(probabilities, labels, weights, ensemble.averaging))
    for name in more:
        compute = metric_named(name).compute
        assert compute is not None, "a metric of another package has a function"
        scores[name] = float(compute(probabilities, weights, labels))
        if not math.isfinite(scores[name]):
            raise NessBenchError(f'metric "{name}" is {scores[name]} for an ensemble; it must be a finite number')
    return scores


def reliability(members: MemberTable, predictions: QuantisedPredictions, ensemble: Ensemble) -> dict[str, list[float]]:
    """What a reliability diagram shows of an ensemble on one split of a bank, by bin of the calibration error.

    Returns:
        examples, how many are in each bin; confidence, the sum of theirs; right, how many of them the ensemble gets
        right.
    """
    weights = np.array(ensemble.weights)
    mean = ensemble_probabilities(_predicted(members, predictions, ensemble), weights, ensemble.averaging)
    confidence, right = mean.max(-1), mean.argmax(-1) == predictions.labels
    bins = calibration_bins(confidence)
    return {
        "examples": np.bincount(bins, minlength=BINS).tolist(),
        "confidence": np.bincount(bins, confidence, BINS).tolist(),
        "right": np.bincount(bins[right], minlength=BINS).tolist(),
    }


def _predicted(members: MemberTable, predictions: QuantisedPredictions, ensemble: Ensemble) -> npt.NDArray[np.floating]:
    """Of each member, [members, examples, classes]."""
    return predictions.probabilities([members.row(member.architecture, member.seed) for member in ensemble.members])


class EnsemblePlan(Plan):
    """A study on a bank, as its file says it."""

    RUN: ClassVar[type[Run]] = EnsembleRun

    bank: str
    methods: MethodPlans
    sizes: list[Annotated[PositiveInt, Field(le=MOST_MEMBERS)]] = Field(min_length=1)
    budgets: list[PositiveFloat] = Field(min_length=1)
    cost_model: str = MEASURED
    repetitions: PositiveInt
    reference: str = ""
    metrics: list[str] = Field(list(STANDARD), min_length=1)
    margins: dict[str, PositiveFloat] = Field({})

    @property
    def held_against(self) -> str:
        """The label of the method that others are held against.

        Raises:
            NessBenchError: the plan has no such method.
        """
        labels = [entry.called for entry in swept(self.methods)]
        if self.reference and self.reference not in labels:
            raise NessBenchError(
                f'plan "{self.name}": reference "{self.reference}" is none of its methods'
                f"{nearest(self.reference, labels)}; it has: {', '.join(labels)}"
            )
        return self.reference or labels[0]

    def ceiling(self) -> str:
        searches = len(swept(self.methods)) * len(self.sizes) * self.repetitions
        return f"{searches * sum(self.budgets):,.0f} TE ({self.cost_model}), looked up, not trained"

    def runs(self) -> list[EnsembleRun]:
        """Every run, one repetition after the other.

        Raises:
            NessBenchError: an unknown bank, method, constant, metric or reference; a metric named twice; a margin of
                what runs do not record; a size or budget that the bank rules out; two runs that are the same.
        """
        assert self.held_against
        for name in self.metrics:
            if self.metrics.count(name) > 1:
                raise NessBenchError(f'plan "{self.name}" names the metric "{name}" twice; name it once')
        others = tuple(name for name in self.metrics if metric_named(name).compute is not None)
        recorded = [*(field.name for field in fields(EnsembleMetrics)), "distinct", "cost", *others]
        for name in self.margins:
            if metric_named(name).name not in recorded:
                raise NessBenchError(
                    f'plan "{self.name}": "{name}" is given a margin, but is no metric that runs record; margins may '
                    f"be of {', '.join(recorded)}, and of what other packages compute if `metrics` names it"
                )
        methods = swept(self.methods)
        bank = open_named(self.bank)
        for size in self.sizes:
            for budget in self.budgets:
                BankTask.of(bank, size, budget, 0, self.cost_model)  # refuses what no method could do
        constants = [asdict(method.create(entry.name, entry.constants)) for entry in methods]
        runs = [
            EnsembleRun(
                entry.name,
                entry.called,
                self.bank,
                bank.digest,
                size,
                budget,
                self.cost_model,
                seed,
                of_method,
                others,
            )
            for seed in range(self.repetitions)
            for size in self.sizes
            for budget in self.budgets
            for entry, of_method in zip(methods, constants, strict=True)
        ]
        return distinct(self.name, ((run, (run.label, run.size, run.budget, run.repetition)) for run in runs))
