"""Ablations on a prediction bank: one factor is changed at a time, all others stay at their reference.

name = "ness"
bank = "fashion"            # a shipped bank or a folder
methods = ["ness-mc", { name = "ness-svgd-rd", constants = { delta = 2.0 }, factors = ["size", "delta"] }]
size = 5                    # the reference: members of an ensemble,
budget = 40                 # training equivalents (TE),
cost_model = "measured"     # what they are counted by; and the methods' own constants
repetitions = 10            # seeds 0 to 9

[factors]                   # size, budget, cost_model, or a constant of some of the methods
size = [1, 3, 5, 10]
temperature = [0.1, 1.0, 10.0]
delta = [0.0, 1.0, 10.0]    # of those methods that have it
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from ness_bench.banks.named import open_named
from ness_bench.ensembles.quantised import MOST_MEMBERS
from ness_bench.errors import NessBenchError, nearest
from ness_bench.methods import method
from ness_bench.studies.ensembles import EnsembleRun
from ness_bench.studies.plan import MethodPlan, Plan, from_name
from ness_bench.studies.run import Run, id_of
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.cost import MEASURED

TASK_FACTORS = ("size", "budget", "cost_model")
"""Factors that are not constants of a method."""


@dataclass(frozen=True)
class AblationRun(EnsembleRun):
    """A search on a bank at one setting of the factors."""

    @property
    def title(self) -> str:
        default = asdict(method.create(self.method))
        changed = [f"{name} {value}" for name, value in self.constants.items() if value != default[name]]
        return ", ".join([super().title, self.cost_model, *changed])

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """As of a search, and the cost model and every constant of the method."""
        return super().row(result) | {"cost_model": self.cost_model} | dict(self.constants)


class AblatedMethod(MethodPlan):
    """A method of the study, and which of its factors are changed in it: all that it has, unless they are named."""

    factors: list[str] | None = None


class AblationPlan(Plan):
    """A study of factors, as its file says it."""

    RUN: ClassVar[type[Run]] = AblationRun

    bank: str
    methods: Annotated[list[Annotated[AblatedMethod, BeforeValidator(from_name)]], Field(min_length=1)]
    size: Annotated[PositiveInt, Field(le=MOST_MEMBERS)]
    budget: PositiveFloat
    cost_model: str = MEASURED
    repetitions: PositiveInt
    factors: dict[str, Annotated[list[float | str], Field(min_length=1)]] = Field(min_length=1)

    def ceiling(self) -> str:
        return f"{sum(run.budget for run in self.runs()):,.0f} TE, looked up, not trained"

    def runs(self) -> list[AblationRun]:
        """Every run, one repetition after the other.

        Raises:
            NessBenchError: an unknown bank, method, factor or cost model; a value that a factor cannot have.
        """
        if len({entry.called for entry in self.methods}) < len(self.methods):
            raise NessBenchError(f'plan "{self.name}" has two methods of one name; give one a label of its own')
        bank = open_named(self.bank)
        runs: dict[tuple[str, str], AblationRun] = {}  # one setting may be of two methods that differ in a constant
        for seed in range(self.repetitions):
            for entry in self.methods:
                for setting in self._settings(entry):
                    run = AblationRun(
                        entry.name,
                        entry.called,
                        self.bank,
                        bank.digest,
                        setting.pop("size"),
                        setting.pop("budget"),
                        setting.pop("cost_model"),
                        seed,
                        setting,
                    )
                    runs[run.label, id_of(run)] = run
        for run in runs.values():
            if run.repetition == 0:
                BankTask.of(bank, run.size, run.budget, 0, run.cost_model)  # refuses what no method could do
        return list(runs.values())

    def reference(self, entry: MethodPlan) -> dict[str, Any]:
        """The setting of a method that factors are changed from: size, budget, cost model and constants."""
        constants = asdict(method.create(entry.name, entry.constants))
        return {"size": self.size, "budget": self.budget, "cost_model": self.cost_model} | constants

    def values(self, factor: str, entry: MethodPlan) -> list[Any]:
        """What a factor is set to, the reference included, in ascending order if these are numbers."""
        reference = self.reference(entry)[factor]
        for value in self.factors[factor]:
            if isinstance(value, str) != isinstance(reference, str):
                wanted = "names" if isinstance(reference, str) else "numbers"
                raise NessBenchError(f'plan "{self.name}": factor "{factor}" was given {value!r}; it takes {wanted}')
            if factor == "size" and value not in range(1, MOST_MEMBERS + 1):
                raise NessBenchError(
                    f'plan "{self.name}": factor "size" was given {value!r}; it must be a whole number from 1 to '
                    f"{MOST_MEMBERS}"
                )
        whole = isinstance(reference, int)
        given = dict.fromkeys(self.factors[factor])
        listed = [int(value) if whole and value % 1 == 0 else value for value in given]
        values = [*listed, *([] if reference in listed else [reference])]
        return values if isinstance(reference, str) else sorted(values)

    def _settings(self, entry: AblatedMethod) -> Iterator[dict[str, Any]]:
        """The reference, and every setting that differs from it in one factor."""
        reference = self.reference(entry)
        yield dict(reference)
        for factor in self.factors_of(entry):
            for value in self.values(factor, entry):
                setting = reference | {factor: value}
                own = {name: setting[name] for name in setting if name not in TASK_FACTORS}
                yield setting | asdict(method.create(entry.name, own))  # refuses what is no value of a constant

    def factors_of(self, entry: AblatedMethod) -> list[str]:
        """Those of the plan's factors that are changed in a method."""
        known = dict.fromkeys([*TASK_FACTORS, *(name for other in self.methods for name in self.reference(other))])
        for factor in self.factors:
            if factor not in known:
                raise NessBenchError(
                    f'plan "{self.name}": unknown factor "{factor}"{nearest(factor, list(known))}; '
                    f"factors of these methods: {', '.join(known)}"
                )
        has = self.reference(entry)
        for factor in entry.factors or []:
            if factor not in self.factors or factor not in has:
                allowed = [name for name in self.factors if name in has]
                raise NessBenchError(
                    f'plan "{self.name}": {entry.called} was to have the factor "{factor}"'
                    f"{nearest(factor, allowed)}; of the plan's factors it has {', '.join(allowed)}"
                )
        return [name for name in self.factors if name in (has if entry.factors is None else entry.factors)]


def by_factor(plan: AblationPlan, records: pd.DataFrame) -> pd.DataFrame:
    """Records as the factors sort them: a row a (factor, value, method, seed).

    Args:
        plan: of the study.
        records: a row a run, as its runs give them.

    Returns:
        The records' columns, and before them `factor`, `value` and `is_reference`, in the plan's order of factors, the
        order of `AblationPlan.values` and the plan's order of methods. The run at the reference stands in every factor.
    """
    parts = []
    for factor in plan.factors:
        for entry in (entry for entry in plan.methods if factor in plan.factors_of(entry)):
            reference = plan.reference(entry)
            others = records["method"] == (entry.called)
            for name, expected in reference.items():
                if name != factor:
                    others &= records[name] == expected
            for value in plan.values(factor, entry):
                chosen = records[others & (records[factor] == value)]
                head = pd.DataFrame(
                    {"factor": factor, "value": value, "is_reference": value == reference[factor]}, index=chosen.index
                )
                parts.append(pd.concat([head.astype({"value": object}), chosen], axis=1))
    sorted_rows: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return sorted_rows
