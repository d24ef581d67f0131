"""FGSM, the fast gradient sign method (Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples,
ICLR 2015): one step of ε along the sign of the gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ness_bench.training.attacks.attack import Perturbed, require_input
from ness_bench.training.attacks.ball import Norm, project, steepest
from ness_bench.training.attacks.victim import Victim


@dataclass(frozen=True)
class FGSM:
    """x + ε sign(∇ cross-entropy), cut to [0, 1]. It has no constants and no randomness; L∞."""

    norm: ClassVar[Norm] = "linf"

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        require_input(victim, images, labels, epsilon, self.norm)
        gradient, _ = victim.gradient(images, labels)
        step = epsilon * steepest(gradient, self.norm)
        return Perturbed(project(images + step, images, epsilon, self.norm), torch.ones_like(labels))
