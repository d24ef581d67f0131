"""PGD, projected gradient descent (Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks,
ICLR 2018): steps along the gradient, each followed by a projection into the ball."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.attack import Perturbed, require_input, require_positive, require_step_size
from ness_bench.training.attacks.ball import Norm, project, random_start, require_norm, steepest
from ness_bench.training.attacks.restarts import Attempt, worst_of
from ness_bench.training.attacks.victim import Victim


@dataclass(frozen=True)
class PGD:
    """Ascends the cross-entropy. An attempt ends where its last step led, as published, fooled before or not.

    Attributes:
        norm: "linf" or "l2".
        steps: of each attempt.
        step_size: as a multiple of ε; the default is Madry et al.'s on CIFAR-10, 2/255 at ε = 8/255.
        restarts: attempts at an image; the worst counts.
        random_start: whether an attempt starts at random in the ball, or at the image itself.

    Raises:
        NessBenchError: a constant is out of its range, or several restarts would all start at the image.
    """

    norm: Norm = "linf"
    steps: int = 20
    step_size: float = 0.25
    restarts: int = 1
    random_start: bool = True

    def __post_init__(self) -> None:
        require_norm(self.norm)
        require_positive(steps=self.steps, restarts=self.restarts)
        require_step_size(self.step_size)
        if self.restarts > 1 and not self.random_start:
            raise NessBenchError(f"{self.restarts} restarts without a random start are all the same; give 1")

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        require_input(victim, images, labels, epsilon, self.norm)
        attempt = partial(self._attempt, victim, epsilon, generator)
        return worst_of(self.restarts, images, labels, attempt)

    def _attempt(
        self, victim: Victim, epsilon: float, generator: torch.Generator, images: Tensor, labels: Tensor
    ) -> Attempt:
        x = random_start(images, epsilon, self.norm, generator) if self.random_start else images
        for _ in range(self.steps):
            gradient, _ = victim.gradient(x, labels)
            step = self.step_size * epsilon * steepest(gradient, self.norm)
            x = project(x + step, images, epsilon, self.norm)
        end = victim.judge(x, labels)
        return Attempt(x, end.odds, end.fooled, torch.full_like(labels, self.steps + 1))
