"""REINFORCE (Williams, 1992) on architecture parameters, as NAS-Bench-201 compares it (Dong & Yang, ICLR 2020).

The policy is one categorical an edge, π(A) ∝ prod_e softmax(α_e)[A_e]. The validation accuracy of an architecture
drawn from it is its reward R, and Adam climbs (R − b) ∇log π(A), with b a moving average of the rewards. The result
is the best network ever evaluated.
"""

import sys
from dataclasses import dataclass

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.sampling.inference import Adam
from ness_bench.sampling.posterior import Floats, Posterior, log_softmax
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import TrialTask


@register("reinforce")
@dataclass(frozen=True)
class Reinforce(MultiTrial):
    """A policy on the edges, trained by REINFORCE; the single best by validation accuracy.

    Attributes:
        learning_rate: of Adam (0.01 on NAS-Bench-201).
        momentum: of the moving average that is the baseline (0.9 on NAS-Bench-201).
    """

    learning_rate: float = 0.01
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or not 0 <= self.momentum < 1:
            raise NessBenchError("reinforce needs learning_rate > 0 and momentum in [0, 1)")

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        prior = Posterior.uniform(task.space.array)
        trials: list[tuple[Architecture, float]] = []
        average = weight = 0.0

        def step(alpha: Floats) -> Floats:
            nonlocal average, weight
            probabilities = np.exp(log_softmax(prior.one_hots @ alpha.ravel()))
            drawn = rng.choice(len(probabilities), p=probabilities)
            architecture = task.space.architectures[drawn]
            reward = task.evaluate(architecture)
            trials.append((architecture, reward))
            average = self.momentum * average + (1 - self.momentum) * reward
            weight = self.momentum * weight + (1 - self.momentum)
            score: Floats = prior.one_hots[drawn] - probabilities @ prior.one_hots
            return (reward - average / weight) * score.reshape(alpha.shape)

        start = 1e-3 * rng.standard_normal(prior.logits.shape)
        try:
            Adam(self.learning_rate, weight_decay=0).climb(step, start, sys.maxsize)
        except BudgetExhausted:
            if not trials:
                raise
        return max(trials, key=lambda trial: trial[1])[0]
