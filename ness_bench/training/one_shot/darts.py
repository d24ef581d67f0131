"""DARTS, first order (Liu, Simonyan & Yang, ICLR 2019): mixed operations whose mixture is learned too.

Every edge computes the sum of all operations, weighted by the softmax of its architecture parameters α;
cells of a kind share α. Each step updates the weights on a batch of one half of the training images, then α on
a batch of the other half, with the weights held fixed. Source of the constants and of the order within a
step: DARTS-V1 of the NAS-Bench-201 authors' search code; theirs augments the images, ours does not. On their own
cell space DARTS's authors have plain momentum, a weight decay of 3e-4, and α's step first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.training.one_shot.bilevel import BilevelTraining
from ness_bench.training.one_shot.recipe import AlphaRecipe


@dataclass(frozen=True)
class DartsRecipe(AlphaRecipe):
    """The published constants."""

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001


def alpha_gradient(supernet: OneShotModel, alphas: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the cross-entropy with respect to α [edges, operations] at fixed weights."""
    loss = F.cross_entropy(supernet(images, alphas.softmax(1)), labels)
    return torch.autograd.grad(loss, alphas)[0]


class DartsTraining(BilevelTraining):
    """A supernet of DARTS in training; see `BilevelTraining`."""

    def step(self, epoch: int, weight_batch: Tensor, alpha_batch: Tensor) -> float:
        alphas = self.alpha.value
        logits = self.model(self.images[weight_batch], alphas.detach().softmax(1))
        loss = self.descent.step(F.cross_entropy(logits, self.labels[weight_batch]))
        self.alpha.step(alpha_gradient(self.model, alphas, self.images[alpha_batch], self.labels[alpha_batch]))
        return loss
