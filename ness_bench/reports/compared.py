"""Two studies of ensembles held against each other, run by run: what another version or another plan changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from ness_bench.errors import NessBenchError
from ness_bench.reports.ensembles.grouped import Cell, Group, Grouped, Head
from ness_bench.reports.ensembles.report import judged_by
from ness_bench.reports.text import ends, markdown_table, number, probability, write_texts
from ness_bench.statistics.holm import holm
from ness_bench.statistics.signed_rank import signed_rank
from ness_bench.statistics.student import mean_difference
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.metrics import Metric, metric_named
from ness_bench.studies.plan import swept
from ness_bench.studies.statistics import CELL
from ness_bench.studies.study import Study, load_records, read_study

NOTE = (
    "Differences B − A are paired by repetition; in brackets the 95 % interval of their mean by Student's t. p is "
    "Wilcoxon's signed-rank test, Holm's p the same adjusted for how many methods, sizes and budgets are compared."
)

HOLM = "Holm's p"


@dataclass(frozen=True)
class Compared:
    """What two studies, A and B, say of the same methods, sizes and budgets.

    Attributes:
        differences: one row a (metric, method, size, budget) that both have, with the columns a and b, the means; mean,
            low and high of B − A, in the metric's units; p, p_holm and pairs, the number of repetitions.
        metrics: that are compared, in the order of A's plan; NLL in place of regret, which differs as it does.
        shown: the metric that a terminal shows.
        remarks: what A and B are, what only one of them has, and what else keeps them from being the same.
    """

    differences: pd.DataFrame
    metrics: tuple[Metric, ...]
    shown: Metric
    remarks: tuple[str, ...]

    def tables(self) -> list[Table]:
        """The differences in `shown`, for a terminal: a table a size and budget."""
        groups = []
        for _, cells in self._of(self.shown).groupby(["size", "budget"]):
            size, budget = cells["size"].iloc[0], cells["budget"].iloc[0]
            rows = [(row["method"], _cells(row, self.shown)) for row in cells.to_dict("records")]
            groups.append(Group(f"Ensemble size {size}", f"Budget {budget:g} TE", {}, rows))
        heads = [
            Head("A"),
            Head("B"),
            Head("B − A"),
            Head("p", on_terminal=False),
            Head(HOLM),
        ]
        return list(
            Grouped("compared", f"{self.shown.title} of B against A", NOTE, "Method", heads, groups).on_terminal()
        )

    def markdown(self) -> str:
        """The remarks, then a table a metric."""
        lines = ["## B against A", "", *(f"- {remark}" for remark in self.remarks)]
        heads = ["Method", "Size", "Budget (TE)", "A", "B", "B − A", "p", HOLM]
        for metric in self.metrics:
            unit = f" ({metric.unit})" if metric.unit else ""
            rows = [
                [row["method"], f"{row['size']}", f"{row['budget']:g}", *(cell.whole for cell in _cells(row, metric))]
                for row in self._of(metric).to_dict("records")
            ]
            lines += ["", f"### {metric.title}{unit}", "", *markdown_table(heads, rows)]
        return "\n".join([*lines, "", NOTE]) + "\n"

    def _of(self, metric: Metric) -> pd.DataFrame:
        of_metric: pd.DataFrame = self.differences[self.differences["metric"] == metric.name]
        return of_metric


def _cells(row: Mapping[Any, Any], metric: Metric) -> list[Cell]:
    """Means of A and B, their difference, p and Holm's p."""
    digits = metric.digits + 1
    a, b, mean, low, high = (metric.scale * row[column] for column in ("a", "b", "mean", "low", "high"))
    return [
        Cell(number(a, metric.digits)),
        Cell(number(b, metric.digits)),
        Cell(number(mean, digits, signed=True), ends(low, high, digits, signed=True)),
        Cell(probability(row["p"])),
        Cell(probability(row["p_holm"])),
    ]


def compare(folder_a: Path, folder_b: Path) -> Compared:
    """Hold the study in one folder against that in another.

    Both have searched the same bank by the same cost model. Their methods are taken for the same by their labels.

    Raises:
        NessBenchError: a folder holds no study of ensembles, or its runs are missing or failed; the banks or the cost
            models differ; or they have no method, size, budget and repetition in common.
    """
    a, b = read_study(folder_a), read_study(folder_b)
    plan_a, plan_b = _plan(folder_a, a), _plan(folder_b, b)
    _refuse_others(folder_a, a, folder_b, b)
    runs_a, runs_b = load_records(folder_a), load_records(folder_b)
    of_a, of_b = (["nll" if name == "regret" else name for name in plan.metrics] for plan in (plan_a, plan_b))
    named = [name for name in dict.fromkeys(of_a) if name in of_b]
    metrics = tuple(metric_named(name) for name in named if _known(name, runs_a) and _known(name, runs_b))
    if not metrics:
        raise NessBenchError(
            f"{folder_a} and {folder_b} have no metric in common: {', '.join(plan_a.metrics)} against "
            f"{', '.join(plan_b.metrics)}; give both plans one"
        )
    pairs = runs_a.merge(runs_b, on=[*CELL, "seed"], suffixes=("_a", "_b"))
    if pairs.empty:
        raise NessBenchError(
            f"{folder_a} and {folder_b} have no run in common; compare studies that share a method by its label, a "
            "size and a budget"
        )
    remarks = [
        f"A is {folder_a} (ness_bench {a.version}), B is {folder_b} (ness_bench {b.version}).",
        *_only_in("A", runs_a, runs_b),
        *_only_in("B", runs_b, runs_a),
        *_other_constants(plan_a, plan_b),
        *_fewer_seeds(runs_a, runs_b, pairs),
    ]
    found = pd.concat([_differences(pairs, metric) for metric in metrics], ignore_index=True)
    return Compared(found, metrics, judged_by(metrics) if judged_by(metrics) in metrics else metrics[0], tuple(remarks))


def write_compared(compared: Compared, folder: Path) -> list[Path]:
    """Write compared.csv and compared.md into a folder, made if it is not there, and return them."""
    texts = {
        "compared.csv": compared.differences.to_csv(index=False, float_format="%.9g"),
        "compared.md": compared.markdown(),
    }
    return write_texts(texts, folder)


def _plan(folder: Path, study: Study) -> EnsemblePlan:
    if not isinstance(study.plan, EnsemblePlan):
        raise NessBenchError(f"{folder} holds a study of another kind; only studies of ensembles can be compared")
    return study.plan


def _refuse_others(folder_a: Path, a: Study, folder_b: Path, b: Study) -> None:
    plan_a, plan_b = _plan(folder_a, a), _plan(folder_b, b)
    if a.digest != b.digest:
        raise NessBenchError(
            f"{folder_a} searched the bank {plan_a.bank} (digest {a.digest[:12]}) and {folder_b} the bank "
            f"{plan_b.bank} (digest {b.digest[:12]}); only what is found in the same bank can be compared"
        )
    if plan_a.cost_model != plan_b.cost_model:
        raise NessBenchError(
            f'{folder_a} counts costs by the model "{plan_a.cost_model}" and {folder_b} by "{plan_b.cost_model}", so '
            "that equal budgets are not the same; run one of the plans by the other's model"
        )


def _known(metric: str, runs: pd.DataFrame) -> bool:
    """Whether the records hold it for all runs, as they do not hold seconds that were lost."""
    return metric in runs and not runs[metric].isna().any()


def _differences(pairs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    rows = []
    for _, runs in pairs.groupby(CELL, sort=False):
        cell = {axis: runs[axis].iloc[0] for axis in CELL}
        of_a, of_b = runs[f"{metric.name}_a"].to_numpy(float), runs[f"{metric.name}_b"].to_numpy(float)
        difference = mean_difference(of_b - of_a)
        interval = {"mean": difference.mean, "low": difference.low, "high": difference.high}
        tested = {"p": signed_rank(of_b - of_a).p, "pairs": len(runs)}
        rows.append({"metric": metric.name, **cell, "a": of_a.mean(), "b": of_b.mean(), **interval, **tested})
    frame = pd.DataFrame(rows)
    order = {method: place for place, method in enumerate(pairs["method"].unique())}
    frame = frame.sort_values(["method", "size", "budget"], key=lambda of: of.map(order) if of.name == "method" else of)
    frame.insert(list(frame.columns).index("p") + 1, "p_holm", holm(frame["p"]))
    return frame


def _only_in(name: str, runs: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """What of the methods, sizes and budgets only one study has, in words."""
    words = {"method": "methods", "size": "sizes", "budget": "budgets (TE)"}
    missing = {axis: [value for value in runs[axis].unique() if value not in set(others[axis])] for axis in CELL}
    listed = [
        f"{words[axis]} {', '.join(f'{value:g}' if axis == 'budget' else str(value) for value in values)}"
        for axis, values in missing.items()
        if values
    ]
    return [f"Only {name} has the {'; '.join(listed)}."] if listed else []


def _other_constants(plan_a: EnsemblePlan, plan_b: EnsemblePlan) -> list[str]:
    """Methods that are called the same but set up in another way."""
    of_a, of_b = ({entry.called: entry for entry in swept(plan.methods)} for plan in (plan_a, plan_b))
    return [
        f"{label} is {of_a[label].name} with {of_a[label].constants or 'its defaults'} in A and {of_b[label].name} "
        f"with {of_b[label].constants or 'its defaults'} in B."
        for label in of_a
        if label in of_b and (of_a[label].name, of_a[label].constants) != (of_b[label].name, of_b[label].constants)
    ]


def _fewer_seeds(runs_a: pd.DataFrame, runs_b: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    in_common, of_a, of_b = (runs["seed"].nunique() for runs in (pairs, runs_a, runs_b))
    if in_common == of_a == of_b:
        return []
    return [f"A has {of_a} repetitions and B {of_b}; the {in_common} that both have are compared."]
