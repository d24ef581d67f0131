"""From records to means with intervals, and which of them stand for all where only one thing varies."""

from dataclasses import dataclass

import pandas as pd

from ness_bench.sampling.svgd_rd import SVGDRD
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.samplers import MONTE_CARLO, SVGD_RD, SamplerPlan, SamplerRun

AXES = ["temperature", "size", "delta", "sigma"]
"""Columns of the records that, with the sampler, a mean belongs to."""

CELL = ["sampler", *AXES]

AXES_OF = {MONTE_CARLO: AXES[:2], SVGD_RD: AXES}

TITLES = {MONTE_CARLO: "Monte Carlo", SVGD_RD: "SVGD-RD"}


@dataclass(frozen=True)
class Measure:
    """How a column of the records is shown."""

    column: str
    title: str
    unit: str = ""
    digits: int = 2

    @property
    def scale(self) -> int:
        return 100 if self.unit == "%" else 1

    @property
    def head(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


OF_POSTERIOR = (
    Measure("entropy", "Entropy of q", "nats", 3),
    Measure("kl", "KL(q‖p)", "nats", 3),
    Measure("total_variation", "Total variation", digits=3),
)
"""What does not depend on what is drawn."""

OF_DRAWS = (
    Measure("mean_accuracy", "Mean accuracy", "%"),
    Measure("best_accuracy", "Best accuracy", "%"),
    Measure("hamming", "Hamming distance", "edges"),
    Measure("distinct", "Distinct functions"),
    Measure("squared_mmd", "MMD² to q", digits=3),
    Measure("ess", "ESS", digits=1),
)


@dataclass(frozen=True)
class Middle:
    """What is held fixed while another varies: the median temperature and size, δ and σ nearest to the defaults."""

    temperature: float
    size: int
    delta: float
    sigma: float

    def rows(self, means: pd.DataFrame, sampler: str, varied: list[str]) -> pd.DataFrame:
        """A sampler's means in which only some axes vary, sorted by these."""
        kept = means[means["sampler"] == sampler]
        for axis in AXES_OF[sampler]:
            if axis not in varied:
                kept = kept[kept[axis] == getattr(self, axis)]
        return kept.sort_values(varied)

    def both(self, means: pd.DataFrame, varied: list[str]) -> pd.DataFrame:
        """Both samplers' means in which only some axes vary, sorted by these, Monte Carlo first."""
        rows = pd.concat([self.rows(means, sampler, varied) for sampler in TITLES])
        return rows.sort_values(varied, kind="stable")


def middle_of(plan: SamplerPlan) -> Middle:
    temperatures, sizes, default = sorted(plan.temperatures), sorted(plan.sizes), SVGDRD()
    return Middle(
        temperatures[(len(temperatures) - 1) // 2],
        sizes[(len(sizes) - 1) // 2],
        min(plan.deltas, key=lambda delta: abs(delta - default.delta)),
        min(plan.sigmas, key=lambda sigma: abs(sigma - default.sigma)),
    )


def means_of(records: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, with the columns `CELL`, repetitions, and mean, low and high of all that runs measure.

    Those are called MEASURE_mean, …; low and high are the ends of the 95 % bootstrap interval.
    """
    measures = [column for column in records if column in SamplerRun.RESULT]
    rows = []
    for cell, runs in records.groupby(CELL, dropna=False):
        row = dict(zip(CELL, cell, strict=True)) | {"repetitions": len(runs)}
        for measure in measures:
            ends = (runs[measure].mean(), *bootstrap_interval(runs[measure]))
            row |= {f"{measure}_{end}": value for end, value in zip(("mean", "low", "high"), ends, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)
