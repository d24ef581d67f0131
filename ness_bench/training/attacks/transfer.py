"""Transfer: fool a surrogate, and hope that the victim falls for it as well (Papernot et al.: Transferability in
Machine Learning, 2016)."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ness_bench.training.attacks.attack import Attack, Perturbed, require_input
from ness_bench.training.attacks.ball import Norm
from ness_bench.training.attacks.victim import Victim


@dataclass(frozen=True)
class Transfer:
    """Attacks the surrogate and hands its images on. The victim is never asked: 0 queries.

    Attributes:
        attack: how the surrogate is attacked; restarts are judged by it.
        surrogate: a network like the victim, `victim.member(0)` for one of an ensemble's own.
    """

    attack: Attack
    surrogate: Victim = field(repr=False)

    @property
    def norm(self) -> Norm:
        return self.attack.norm

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        require_input(victim, images, labels, epsilon, self.norm)
        perturbed = self.attack.perturb(self.surrogate, images, labels, epsilon, generator)
        return replace(perturbed, queries=torch.zeros_like(perturbed.queries))
