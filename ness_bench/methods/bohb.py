"""BOHB (Falkner, Klein & Hutter, ICML 2018): Hyperband (Li et al., JMLR 2018) whose networks a model proposes.

Hyperband runs brackets of successive halving: many networks are trained for a short time, and of every η the best
is trained η times as long. Each training is from scratch, as published. Where a task offers only one length, a
bracket is one rung, and BOHB is its model alone.

The model is that of TPE, fitted to what was seen at the greatest length that has seen enough: kernel densities l of
the good networks and g of the others. Of some draws from l, that of the largest l/g is proposed. Where the paper
and the authors' hpbandster differ in the model, it is hpbandster's, with which NAS-Bench-201 was searched. On a
restricted space a proposal outside of it gives way to one of the nearest inside (ours).

The result is the best network among those trained for the greatest length.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.sampling.posterior import Architectures, Floats
from ness_bench.spaces.nas_bench_201 import EDGES, OPERATIONS, Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import TrialTask

Results = list[tuple[Architecture, float]]
"""Networks and their validation accuracies."""


def brackets(epochs: Sequence[int], eta: int) -> list[list[tuple[int, int]]]:
    """Hyperband's brackets, one round of them, each a list of rungs (networks, epochs).

    Bracket s = s_max, …, 0 starts with n = ⌊(s_max + 1) / (s + 1)⌋ · η^s networks at r_max / η^s epochs, and n / η^i
    of them reach rung i: the schedule that Hyperband's paper tabulates, and hpbandster runs. Epochs are rounded down
    to a length on offer, or up to the least.

    Args:
        epochs: the lengths on offer, ascending: r_min, …, r_max.
        eta: η.
    """
    s_max = 0
    while epochs[0] * eta ** (s_max + 1) <= epochs[-1]:
        s_max += 1

    def offered(wanted: float) -> int:
        return max((length for length in epochs if length <= wanted), default=epochs[0])

    rounds = []
    for s in range(s_max, -1, -1):
        networks = (s_max + 1) // (s + 1) * eta**s
        rounds.append([(networks // eta**rung, offered(epochs[-1] / eta ** (s - rung))) for rung in range(s + 1)])
    return rounds


@dataclass(frozen=True, eq=False)
class Density:
    """A kernel density over architectures; the kernel is that of Aitchison & Aitken (Biometrika, 1976).

    On every edge it gives 1 − h to the operation of the kernel's point, and shares h out among the others.

    Attributes:
        points: int8 [points, edges].
        bandwidths: h of each edge, [edges], at most 1 − 1 / operations, where the kernel is uniform.
    """

    points: Architectures
    bandwidths: Floats

    @classmethod
    def fit(cls, points: Architectures, least_bandwidth: float) -> "Density":
        """Bandwidths by the normal reference rule, 1.06 σ points^(−1 / (4 + edges)).

        σ is that of the operations' indices, which is what hpbandster takes, although their order means nothing. The
        upper bound is ours: beyond it a kernel would prefer all operations but its point's.
        """
        count, edges = points.shape
        reference = 1.06 * points.std(0) * count ** (-1 / (4 + edges))
        return cls(points, np.clip(reference, least_bandwidth, 1 - 1 / len(OPERATIONS)))

    def __call__(self, architectures: Architectures) -> Floats:
        """The density at some architectures [size, edges], [size]; it sums to 1 over the whole space."""
        moved = self.bandwidths / (len(OPERATIONS) - 1)
        kernels: Floats = np.where(architectures[:, None] == self.points, 1 - self.bandwidths, moved)
        density: Floats = kernels.prod(-1).mean(-1)
        return density

    def draw(self, size: int, rng: np.random.Generator) -> Architectures:
        """Architectures of the whole space, int8 [size, edges]."""
        drawn = self.points[rng.integers(len(self.points), size=size)]
        others = rng.integers(1, len(OPERATIONS), size=drawn.shape, dtype=np.int8)
        return np.where(rng.random(drawn.shape) < self.bandwidths, (drawn + others) % len(OPERATIONS), drawn)


def nearest(space: Space, architecture: npt.NDArray[np.int8], rng: np.random.Generator) -> Architecture:
    """The architecture of `space` that differs from the one given [edges] on the fewest edges; ties by lot."""
    candidate: Architecture = tuple(architecture.tolist())
    if candidate in space:
        return candidate
    distances = (space.array != architecture).sum(1)
    return space.architectures[rng.choice(np.flatnonzero(distances == distances.min()))]


@register("bohb")
@dataclass(frozen=True)
class Bohb(MultiTrial):
    """Hyperband on networks that kernel densities propose; the single best by validation accuracy.

    Attributes:
        eta: η, what a rung divides networks by and multiplies epochs by (3 in the paper).
        top_share: of the networks seen, those that are good (0.15 in the paper), but at least edges + 1 of them.
        samples: draws from l of which the best is proposed (64 in the paper, 4 on NAS-Bench-201).
        random_share: of proposals, uniform over strings (1/3 in the paper, 0 on NAS-Bench-201).
        least_bandwidth: of the kernels (0.001 in the paper, 0.3 on NAS-Bench-201). hpbandster's other constant, the
            bandwidth factor, concerns continuous parameters only.
    """

    eta: int = 3
    top_share: float = 0.15
    samples: int = 4
    random_share: float = 0.0
    least_bandwidth: float = 0.3

    def __post_init__(self) -> None:
        if self.eta < 2 or self.samples < 1:
            raise NessBenchError("bohb needs eta >= 2 and samples >= 1")
        if not (0 < self.top_share < 1 and 0 <= self.random_share <= 1 and 0 < self.least_bandwidth <= 0.8):
            raise NessBenchError(
                "bohb needs top_share between 0 and 1, random_share in [0, 1] and least_bandwidth in (0, 0.8]"
            )

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        seen: dict[int, Results] = {epochs: [] for epochs in task.epochs}
        proposals = self._proposals(task.space, seen, rng)
        whole = seen[task.epochs[-1]]
        try:
            for bracket in itertools.cycle(brackets(task.epochs, self.eta)):
                contenders: Iterable[Architecture] = proposals
                for networks, epochs in bracket:
                    rung: Results = []
                    for architecture in itertools.islice(contenders, networks):
                        rung.append((architecture, task.evaluate(architecture, epochs)))
                        seen[epochs].append(rung[-1])
                    contenders = [a for a, _ in sorted(rung, key=lambda result: result[1], reverse=True)]
        except BudgetExhausted:
            if not whole:
                raise
        return max(whole, key=lambda result: result[1])[0]

    def _proposals(self, space: Space, seen: Mapping[int, Results], rng: np.random.Generator) -> Iterator[Architecture]:
        """For ever, each from the model of all that was seen until then."""
        while True:
            model = self._model(seen) if rng.random() >= self.random_share else None
            if model is None:
                yield space.architectures[rng.integers(space.size)]
            else:
                good, bad = model
                drawn = good.draw(self.samples, rng)
                yield nearest(space, drawn[np.argmax(good(drawn) / bad(drawn))], rng)

    def _model(self, seen: Mapping[int, Results]) -> tuple[Density, Density] | None:
        """l and g at the greatest length that has seen edges + 1 good networks and as many others; None without one."""
        least = len(EDGES) + 1
        for epochs in sorted(seen, reverse=True):
            ranked = sorted(seen[epochs], key=lambda result: result[1], reverse=True)
            good = max(least, int(self.top_share * len(ranked)))
            if len(ranked) - good >= least:
                points = np.array([architecture for architecture, _ in ranked], np.int8)
                return Density.fit(points[:good], self.least_bandwidth), Density.fit(
                    points[good:], self.least_bandwidth
                )
        return None
