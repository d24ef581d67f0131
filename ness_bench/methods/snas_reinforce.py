"""SNAS (Xie, Zheng, Liu & Lin, ICLR 2019) where networks can be evaluated but not differentiated.

SNAS draws architectures from q_α(A) = prod_e softmax(α_e)[A_e] and climbs E_q[R(A)] − η E_q[cost(A)]. Its gradient
goes through Concrete relaxations of the draws and through a supernet. Without a supernet, the reward R is the
validation accuracy of a trained network, and the gradient is estimated by the score function: the strongest
operation of a Concrete draw is a categorical draw at every temperature, so that q is the same. Each draw's baseline
is the mean reward of the others of its step (Kool et al., 2019).

As in SNAS, the result is the child of α, the most likely architecture, whatever the draws before it scored. Money for
its training is kept back.
"""

import sys
from dataclasses import dataclass

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.methods.darts import derive
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial
from ness_bench.sampling.inference import Adam, leave_one_out_gradient
from ness_bench.sampling.posterior import Floats, Posterior, log_softmax
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import TrialTask


@register("snas-reinforce")
@dataclass(frozen=True)
class SnasReinforce(MultiTrial):
    """A distribution on the edges, trained by the score function; its most likely network.

    Attributes:
        samples_per_step: architectures drawn and evaluated a step. Source: ours.
        learning_rate: of Adam on α (3e-4 in the paper, over 150 epochs of steps). Source: ours, for some 20 steps.
        resource_weight: η, the accuracy, as a share, that an architecture of average cost is charged. SNAS has three
            levels of it, in other units; 0 leaves cost out.
    """

    samples_per_step: int = 5
    learning_rate: float = 0.2
    resource_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.samples_per_step < 2 or not self.learning_rate > 0 or self.resource_weight < 0:
            raise NessBenchError(
                "snas-reinforce needs samples_per_step >= 2, learning_rate > 0 and resource_weight >= 0"
            )

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        space = task.space
        prior = Posterior.uniform(space.array)
        costs = np.array([task.evaluation_cost(architecture) for architecture in space.architectures])
        relative = costs / costs.mean()
        alpha = prior.logits

        def step(logits: Floats) -> Floats:
            nonlocal alpha
            alpha = logits
            probabilities = np.exp(log_softmax(prior.one_hots @ logits.ravel()))
            drawn = rng.choice(space.size, self.samples_per_step, p=probabilities)
            if costs[drawn].sum() + costs.max() > task.budget.left:
                raise BudgetExhausted(
                    f"a step of {self.samples_per_step} trainings and that of the child do not fit into the "
                    f"{max(task.budget.left, 0):.3g} {task.budget.unit} that are left; give a larger budget"
                )
            accuracies = np.array([task.evaluate(space.architectures[row]) for row in drawn.tolist()])
            rewards = accuracies - self.resource_weight * relative[drawn]
            return leave_one_out_gradient(rewards, prior.one_hots[drawn]).reshape(logits.shape)

        try:
            Adam(self.learning_rate, weight_decay=0).climb(step, alpha, sys.maxsize)
        except BudgetExhausted:
            if alpha is prior.logits:  # not one step was paid
                raise
        child = derive(alpha, space)
        task.evaluate(child)
        return child
