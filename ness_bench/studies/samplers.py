"""Studies of NESS's samplers on a table, where the posterior can be enumerated and every question answered exactly.

The table's validation accuracies stand for a log-likelihood (`sampling.exact_posterior.log_likelihood_of`); p is the
exact posterior at a temperature, q the product of categoricals nearest to it by coordinate ascent, which is what
NESS infers. Both samplers draw ensembles from q.

name = "samplers"
table = "embedded"
dataset = "cifar10"
epochs = 200
temperatures = [30, 300, 3000]   # of the posterior
sizes = [3, 5, 10]               # n, members of an ensemble
deltas = [0, 1, 10]              # δ of SVGD-RD
sigmas = [0.5, 1.0, 2.0]         # σ of SVGD-RD
ensembles = 40                   # drawn in a run
repetitions = 5
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from ness_bench.errors import NessBenchError
from ness_bench.sampling import diagnostics, monte_carlo
from ness_bench.sampling.exact_posterior import log_likelihood_of, tempered
from ness_bench.sampling.inference import coordinate_ascent
from ness_bench.sampling.posterior import Floats, Posterior
from ness_bench.sampling.svgd_rd import SVGDRD
from ness_bench.spaces.space import Space
from ness_bench.studies.plan import Plan
from ness_bench.studies.run import Run, distinct
from ness_bench.tables.named import table_named
from ness_bench.tables.table import EXAMPLES, SOURCES

MONTE_CARLO, SVGD_RD = "monte-carlo", "svgd-rd"


@dataclass(frozen=True)
class SamplerRun:
    """Ensembles drawn by one sampler from one posterior.

    Attributes:
        sampler: `MONTE_CARLO` or `SVGD_RD`.
        table: `embedded`, or a folder.
        table_digest: of its content.
        dataset: whose validation accuracies make the posterior.
        epochs: of the trainings.
        temperature: of the posterior.
        size: n.
        delta: δ; None for Monte Carlo, which has none.
        sigma: σ; likewise.
        ensembles: drawn.
        repetition: the seed.
    """

    UNNAMED: ClassVar[tuple[str, ...]] = ("table",)
    RESULT: ClassVar[frozenset[str]] = frozenset(
        {"entropy", "kl", "total_variation", "mean_accuracy", "best_accuracy", "hamming", "distinct", "squared_mmd",
         "squared_mmd_p", "ess", "ess_p"}
    )  # fmt: skip

    sampler: str
    table: str
    table_digest: str
    dataset: str
    epochs: int
    temperature: float
    size: int
    delta: float | None
    sigma: float | None
    ensembles: int
    repetition: int

    @property
    def title(self) -> str:
        constants = "" if self.delta is None else f", δ {self.delta:g}, σ {self.sigma:g}"
        return f"{self.sampler}, T {self.temperature:g}, n {self.size}{constants}, seed {self.repetition}"

    @property
    def label(self) -> str:
        return self.sampler

    @property
    def digest(self) -> str:
        return self.table_digest

    def result(self) -> dict[str, Any]:
        """Draw, and measure.

        Returns:
            entropy of q; kl(q‖p) and total_variation of q and p; mean_accuracy and best_accuracy of an ensemble's
            members on val (shares); hamming, edges in which two members differ; distinct functional classes in an
            ensemble; squared_mmd of the members to q, squared_mmd_p to p; ess, the effective sample size of a draw
            against q, ess_p against p. Means over ensembles.
        """
        accuracy, log_p, posterior = _posterior(self.table, self.dataset, self.epochs, self.temperature)
        rng, support, n = np.random.default_rng(self.repetition), posterior.support, self.size
        if self.delta is None or self.sigma is None:
            drawn = monte_carlo.draw(posterior, n, rng, self.ensembles)
        else:
            drawn = SVGDRD(delta=self.delta, sigma=self.sigma).draw(posterior, n, rng, self.ensembles)
        q, p = posterior.probabilities, np.exp(log_p)
        return {
            "entropy": posterior.entropy,
            "kl": diagnostics.kl(posterior.log_probabilities, log_p),
            "total_variation": diagnostics.total_variation(posterior.log_probabilities, log_p),
            "mean_accuracy": float(accuracy[drawn].mean()),
            "best_accuracy": float(accuracy[drawn].max(1).mean()),
            "hamming": float(diagnostics.hamming(drawn, support).mean()),
            "distinct": float(diagnostics.distinct_classes(drawn, support).mean()),
            "squared_mmd": float(diagnostics.squared_mmd(drawn, q, support).mean()),
            "squared_mmd_p": float(diagnostics.squared_mmd(drawn, p, support).mean()),
            "ess": diagnostics.effective_sample_size(drawn, q, support),
            "ess_p": diagnostics.effective_sample_size(drawn, p, support),
        }

    def row(self, result: dict[str, Any]) -> dict[str, Any]:
        """The sampler and its constants, seed, and what `result` measures."""
        axes = ("sampler", "temperature", "size", "delta", "sigma")
        return {axis: getattr(self, axis) for axis in axes} | {"seed": self.repetition} | result


@lru_cache(maxsize=16)
def _posterior(table: str, dataset: str, epochs: int, temperature: float) -> tuple[Floats, Floats, Posterior]:
    """Validation accuracies (shares) and log p over the whole space, and q."""
    opened = table_named(table)
    accuracy = opened.accuracy(dataset, "val", epochs, missing="available-mean") / np.float64(100)
    examples = EXAMPLES[SOURCES[dataset]["val"][0]]["val"]
    log_likelihood = log_likelihood_of(accuracy, examples)
    support = Space("nas_bench_201", opened.architectures).array
    return accuracy, tempered(log_likelihood, temperature), coordinate_ascent(log_likelihood, support, temperature)


class SamplerPlan(Plan):
    """A study of the samplers, as its file says it."""

    RUN: ClassVar[type[Run]] = SamplerRun

    table: str
    dataset: str
    epochs: PositiveInt
    temperatures: list[PositiveFloat] = Field(min_length=1)
    sizes: list[PositiveInt] = Field(min_length=1)
    deltas: list[float] = Field(min_length=1)
    sigmas: list[PositiveFloat] = Field(min_length=1)
    ensembles: Annotated[int, Field(ge=2)]
    repetitions: PositiveInt

    def ceiling(self) -> str:
        return ""

    def runs(self) -> list[SamplerRun]:
        """Every run: both samplers at every temperature and size, SVGD-RD with every δ and σ.

        Raises:
            NessBenchError: an unknown table or data set, one that does not cover the whole space, two runs that are
                the same.
        """
        table, whole = table_named(self.table), Space.whole().size
        if len(table) < whole:
            raise NessBenchError(
                f"the table ({table.source}) covers {len(table):,} of {whole:,} architectures; a study of samplers "
                "needs all"
            )
        _posterior(self.table, self.dataset, self.epochs, self.temperatures[0])  # refuses what cannot be drawn from
        digest = table.digest
        constants: list[tuple[str, float | None, float | None]] = [(MONTE_CARLO, None, None)]
        constants += [(SVGD_RD, delta, sigma) for delta in self.deltas for sigma in self.sigmas]
        runs = [
            SamplerRun(
                sampler,
                self.table,
                digest,
                self.dataset,
                self.epochs,
                temperature,
                size,
                delta,
                sigma,
                self.ensembles,
                seed,
            )
            for seed in range(self.repetitions)
            for temperature in self.temperatures
            for size in self.sizes
            for sampler, delta, sigma in constants
        ]
        return distinct(self.name, ((run, run.title) for run in runs))
