"""From records to means with intervals by factor, value and method, and what each value changes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ness_bench.ensembles.oracle import Optimum
from ness_bench.reports.bank import proof
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.statistics.student import Difference
from ness_bench.studies.ablations import AblationPlan, by_factor
from ness_bench.studies.statistics import paired_difference

METRICS = ("nll", "regret", "accuracy", "distinct", "disagreement", "cost", "search")
"""The columns of the records that are averaged; `search` is the cost without the final trainings."""

BASE = "ness-svgd-rd"
"""The method that the others are held against: NESS's own sampler of whole ensembles."""

BETTER, WORSE, NOISE, SAME = "better", "worse", "within noise", "same"
REFERENCE = "reference"
"""Verdicts on a difference of NLL; the last is of what the others are held against."""


def prepared(records: pd.DataFrame, best: Mapping[int, Optimum]) -> pd.DataFrame:
    """The records with the columns regret and search."""
    optima = records["size"].map({size: optimum.value for size, optimum in best.items()})
    return records.assign(regret=records["nll"] - optima, search=records["cost_supernet"] + records["cost_evaluation"])


def verdict(difference: Difference) -> str:
    """What a difference of NLL, the lower the better, says."""
    if difference.none:
        return SAME
    if difference.clear:
        return BETTER if difference.mean < 0 else WORSE
    return NOISE


def factor_cells(plan: AblationPlan, records: pd.DataFrame) -> pd.DataFrame:
    """What each value of each factor does to each method that has the factor.

    Args:
        plan: of the study.
        records: see `prepared`.

    Returns:
        A row a (factor, method, value), in the plan's order, with the columns factor, method, value, is_reference,
        size and budget; repetitions; mean, low and high of each of `METRICS`, called nll_mean, …; difference,
        difference_low and difference_high of NLL to the reference value, paired by seed; and the verdict on it.
    """
    rows: list[dict[str, Any]] = []
    for (factor, method), runs in by_factor(plan, records).groupby(["factor", "method"], sort=False):
        at_reference = runs[runs["is_reference"].astype(bool)]
        for value, of_value in runs.groupby("value", sort=False):
            first = of_value.iloc[0]
            named = {"factor": factor, "method": method, "value": value, "is_reference": bool(first["is_reference"])}
            task = {"size": int(first["size"]), "budget": float(first["budget"])}
            rows.append(named | task | _means(of_value) | _held_against(of_value, at_reference, first["is_reference"]))
    return pd.DataFrame(rows).astype({"value": object})


def sampler_cells(plan: AblationPlan, records: pd.DataFrame, best: Mapping[int, Optimum]) -> pd.DataFrame:
    """The methods beside each other, at the reference and, if size is a factor, at each of its values.

    Args:
        plan: of the study.
        records: see `prepared`.
        best: ensembles of the bank by size.

    Returns:
        A row a (size, method) with the columns size, method and repetitions; mean, low and high of each of `METRICS`;
        optimum, the NLL of the best ensemble there is, and its proof; base, the method held against, and the
        difference of NLL to it with its verdict, as `factor_cells` has them.
    """
    sorted_out = by_factor(plan, records)
    shown = sorted_out["is_reference"].astype(bool) | (sorted_out["factor"] == "size")
    of_all = sorted_out[shown].drop_duplicates(["size", "method", "seed"])
    base = base_of(plan)
    rows: list[dict[str, Any]] = []
    for size in sorted(of_all["size"].unique().tolist()):
        of_size = dict(iter(of_all[of_all["size"] == size].groupby("method", sort=False)))
        optimum = best[size]
        for method in [entry.called for entry in plan.methods]:
            rows.append(
                {"size": size, "method": method, **_means(of_size[method])}
                | {"optimum": optimum.value, "proof": proof(optimum), "base": base}
                | _held_against(of_size[method], of_size[base], method == base)
            )
    return pd.DataFrame(rows)


def base_of(plan: AblationPlan) -> str:
    """`BASE` by what the plan calls it, or the first method if it is not among them."""
    return next((entry.called for entry in plan.methods if entry.name == BASE), plan.methods[0].called)


def _means(runs: pd.DataFrame) -> dict[str, Any]:
    values = runs[list(METRICS)].to_numpy(np.float64)
    ends = zip(METRICS, values.mean(0), *bootstrap_interval(values), strict=True)
    return {"repetitions": len(runs)} | {
        f"{metric}_{end}": float(number)
        for metric, *numbers in ends
        for end, number in zip(("mean", "low", "high"), numbers, strict=True)
    }


def _held_against(runs: pd.DataFrame, others: pd.DataFrame, themselves: bool) -> dict[str, Any]:
    found = paired_difference(runs, others, "nll")
    ends = {"difference": found.mean, "difference_low": found.low, "difference_high": found.high}
    return ends | {"verdict": REFERENCE if themselves else verdict(found)}
