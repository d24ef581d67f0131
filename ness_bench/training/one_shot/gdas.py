"""GDAS (Dong & Yang, CVPR 2019, arXiv 1910.04465): each step draws one path, and α learns through the draw.

On every edge p = softmax((α + G)/τ) with Gumbel noise G, and the operation of the largest p is computed, alone:
the forward pass is hard. α has its gradient by straight-through: the operation's output is multiplied by
1 − sg(p) + p, which is 1 (sg: no gradient). Following the paper only the selected operation carries a
gradient; the NAS-Bench-201 authors' code adds the others' multipliers to the sum as bare numbers, so that these
reach α too. Weights and α are updated on batches of one half of the training images each, with a draw each.
Source of the constants and of the order within a step: GDAS of the NAS-Bench-201 authors' search code (whose later
configuration has 240 epochs); theirs augments the images, ours does not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.networks.one_shot_model import OneShotModel, Path
from ness_bench.training.one_shot.bilevel import BilevelTraining
from ness_bench.training.one_shot.recipe import AlphaRecipe
from ness_bench.training.one_shot.relaxation import annealed, concrete


@dataclass(frozen=True)
class GdasRecipe(AlphaRecipe):
    """The published constants.

    Attributes:
        temperature: τ in the first epoch.
        final_temperature: τ in the last epoch; it falls linearly, an epoch at a time.
    """

    epochs: int = 250
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    temperature: float = 10.0
    final_temperature: float = 0.1


def draw(alphas: Tensor, temperature: float, generator: torch.Generator) -> tuple[Path, Tensor]:
    """A path, and the multiplier of each of its edges [edges]: 1, with the gradient of the selected p."""
    relaxed = concrete(alphas, temperature, generator)
    selected, path = relaxed.max(1)
    return tuple(path.tolist()), 1 + (selected - selected.detach())


def path_gradient(
    supernet: OneShotModel, drawn: tuple[Path, Tensor], alphas: Tensor, batch: tuple[Tensor, Tensor]
) -> Tensor:
    """The gradient of the cross-entropy of a drawn path with respect to α [edges, operations]."""
    (path, multipliers), (images, labels) = drawn, batch
    loss = F.cross_entropy(supernet.forward_path(images, path, multipliers), labels)
    # A path that never reaches the output has no gradient: the loss does not depend on α.
    return torch.autograd.grad(loss, alphas, allow_unused=True, materialize_grads=True)[0]


class GdasTraining(BilevelTraining):
    """A supernet of GDAS in training; see `BilevelTraining`."""

    recipe: GdasRecipe

    def step(self, epoch: int, weight_batch: Tensor, alpha_batch: Tensor) -> float:
        r, alphas = self.recipe, self.alpha.value
        temperature = annealed(r.temperature, r.final_temperature, epoch, r.epochs)
        path, _ = draw(alphas.detach(), temperature, self.generator)
        logits = self.model.forward_path(self.images[weight_batch], path)
        loss = self.descent.step(F.cross_entropy(logits, self.labels[weight_batch]))
        drawn = draw(alphas, temperature, self.generator)
        batch = self.images[alpha_batch], self.labels[alpha_batch]
        self.alpha.step(path_gradient(self.model, drawn, alphas, batch))
        return loss
