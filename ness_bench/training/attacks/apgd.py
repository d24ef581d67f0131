"""APGD-CE (Croce & Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
Attacks, ICML 2020, Algorithm 1): PGD with momentum whose step shrinks when it no longer helps."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.attack import Perturbed, require_input, require_positive, require_step_size
from ness_bench.training.attacks.ball import Norm, project, random_start, require_norm, steepest
from ness_bench.training.attacks.restarts import Attempt, worst_of
from ness_bench.training.attacks.victim import Judgement, Victim


@dataclass(frozen=True)
class APGD:
    """Ascends the cross-entropy; an image is done as soon as it is fooled, as in the authors' code.

    Attributes:
        norm: "linf" or "l2".
        steps: N, of each attempt.
        step_size: of the first step, as a multiple of ε.
        momentum: α: the share of the new step, the rest is that of the step before it.
        rises: ρ: a step size is halved where the loss rose in a smaller share of the steps since the last checkpoint.
        restarts: attempts at an image, each from another random start; the worst counts.

    Raises:
        NessBenchError: a constant is out of its range.
    """

    norm: Norm = "linf"
    steps: int = 100
    step_size: float = 2.0
    momentum: float = 0.75
    rises: float = 0.75
    restarts: int = 1

    def __post_init__(self) -> None:
        require_norm(self.norm)
        require_positive(steps=self.steps, restarts=self.restarts)
        require_step_size(self.step_size)
        if not 0 < self.momentum <= 1:
            raise NessBenchError(
                f"momentum is {self.momentum:g}; give the share of the new step, above 0 and at most 1"
            )
        if not 0 <= self.rises <= 1:
            raise NessBenchError(f"rises is {self.rises:g}; give a share of the steps, 0 to 1")

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        require_input(victim, images, labels, epsilon, self.norm)
        return worst_of(self.restarts, images, labels, partial(self._attempt, victim, epsilon, generator))

    def _attempt(
        self, victim: Victim, epsilon: float, generator: torch.Generator, images: Tensor, labels: Tensor
    ) -> Attempt:
        start = random_start(images, epsilon, self.norm, generator)
        ascent = _Ascent(images, labels, start, *victim.gradient(start, labels), self.step_size * epsilon)
        found, losses = start.clone(), ascent.losses.clone()
        fooled = torch.zeros_like(labels, dtype=torch.bool)
        queries = torch.zeros_like(labels)
        rows = torch.arange(len(labels), device=labels.device)  # of those that are not fooled
        marks = set(checkpoints(self.steps))
        for step in range(1, self.steps + 2):
            done = ascent.fooled
            found[rows], losses[rows] = ascent.best, ascent.best_losses
            found[rows[done]], losses[rows[done]] = ascent.x[done], ascent.losses[done]
            fooled[rows[done]] = True
            queries[rows] += 1
            rows = rows[~done]
            if step > self.steps or not len(rows):
                break
            if done.any():
                ascent.keep(~done)
            momentum = self.momentum if step > 1 else 1.0  # there is no step before the first
            ascent.step(victim, epsilon, self.norm, momentum)
            if step in marks:
                ascent.adapt(self.rises)
        return Attempt(found, losses, fooled, queries)


def checkpoints(steps: int) -> list[int]:
    """The steps after which step sizes are adapted, w_j = ⌈p_j N⌉ of the paper, without w_0 = 0.

    p_1 = .22, and each part is .03 of N shorter than the one before it, at least .06.
    """
    marks, before, share = [], 0.0, 0.22
    while (mark := math.ceil(round(share * steps, 9))) <= steps:  # rounded: .28 × 100 is a little more than 28
        if mark not in marks:
            marks.append(mark)
        before, share = share, share + max(share - before - 0.03, 0.06)
    return marks


class _Ascent:
    """Where the ascent of each image stands; all tensors are [n, ...]. Losses are odds, of the same order."""

    def __init__(
        self, centres: Tensor, labels: Tensor, start: Tensor, gradient: Tensor, judgement: Judgement, step_size: float
    ) -> None:
        self.centres, self.labels = centres, labels
        self.x = self.x_before = self.best = start
        self.gradient = self.best_gradient = gradient
        self.losses = self.best_losses = self.best_losses_at_mark = judgement.odds
        self.fooled = judgement.fooled
        self.step_sizes = torch.full_like(judgement.odds, step_size)
        self.halved_at_mark = torch.ones_like(self.fooled)  # so that the first checkpoint counts rises alone
        self.rises = torch.zeros_like(judgement.odds)
        self.steps_since_mark = 0

    def keep(self, rows: Tensor) -> None:
        """Go on with these images alone."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[rows])

    def step(self, victim: Victim, epsilon: float, norm: Norm, momentum: float) -> None:
        """Steps 7 and 8 of Algorithm 1, and the best so far."""
        ahead = self.x + self.step_sizes.view(-1, 1, 1, 1) * steepest(self.gradient, norm)
        ahead = project(ahead, self.centres, epsilon, norm)
        mixed = self.x + momentum * (ahead - self.x) + (1 - momentum) * (self.x - self.x_before)
        self.x_before, self.x = self.x, project(mixed, self.centres, epsilon, norm)
        self.gradient, found = victim.gradient(self.x, self.labels)
        self.rises = self.rises + (found.odds > self.losses)
        self.losses, self.fooled = found.odds, found.fooled
        better = self.losses > self.best_losses
        self._take(better, "best", self.x)
        self._take(better, "best_gradient", self.gradient)
        self._take(better, "best_losses", self.losses)
        self.steps_since_mark += 1

    def adapt(self, rises: float) -> None:
        """Halve step sizes and go back to the best where the loss rose seldom (the paper's condition 1), or where the
        best is as it was and the step size, too (condition 2)."""
        seldom = self.rises < rises * self.steps_since_mark
        stuck = ~self.halved_at_mark & (self.best_losses == self.best_losses_at_mark)
        halve = (seldom | stuck) & ~self.fooled  # of those fooled, this is the step to keep
        self._take(halve, "step_sizes", self.step_sizes / 2)
        self._take(halve, "x", self.best)
        self._take(halve, "gradient", self.best_gradient)
        self._take(halve, "losses", self.best_losses)
        self.halved_at_mark, self.best_losses_at_mark = halve, self.best_losses
        self.rises, self.steps_since_mark = torch.zeros_like(self.rises), 0

    def _take(self, rows: Tensor, name: str, values: Tensor) -> None:
        before = getattr(self, name)
        setattr(self, name, torch.where(rows.view(-1, *[1] * (before.ndim - 1)), values, before))
