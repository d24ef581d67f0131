"""DARTS, second order (Liu, Simonyan & Yang, ICLR 2019): α is judged after the step that the weights would take.

With L_train and L_val the losses on a batch of either half, ξ the learning rate, μ the momentum and λ the
weight decay,

    w' = w − ξ (μ m + ∇_w L_train(w, α) + λ w)
    ∇_α L_val(w'(α), α) ≈ ∇_α L_val(w', α) − ξ [∇_α L_train(w⁺, α) − ∇_α L_train(w⁻, α)] / 2ε,
    w^± = w ± ε ∇_w' L_val(w', α),   ε = .01 / ‖∇_w' L_val(w', α)‖

(equations 7 and 8; momentum and weight decay as in the authors' code, which here has neither Nesterov's look-ahead
nor clipping). Each step updates α first, then the weights on the same batch. Source of the constants and of this
order: DARTS-V2 of the NAS-Bench-201 authors' search code; theirs augments the images, ours does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.training.one_shot.bilevel import BilevelTraining
from ness_bench.training.one_shot.darts import DartsRecipe

Batch = tuple[Tensor, Tensor]
"""Images [examples, channels, height, width] and their labels [examples]."""


@dataclass(frozen=True)
class SecondOrderDartsRecipe(DartsRecipe):
    """The published constants.

    Attributes:
        finite_difference: how far weights are moved, in the Euclidean norm over all, for the Hessian-vector product.
    """

    finite_difference: float = 1e-2


def unrolled_alpha_gradient(
    supernet: OneShotModel,
    alphas: Tensor,
    weight_batch: Batch,
    alpha_batch: Batch,
    momenta: Sequence[Tensor],
    rate: float,
    recipe: SecondOrderDartsRecipe,
) -> Tensor:
    """The gradient of the loss after a step of the weights with respect to α [edges, operations].

    Args:
        momenta: of each weight, in the order of the supernet's parameters.
        rate: ξ.
        recipe: for the momentum, the weight decay and the finite difference.
    """
    names, weights = zip(*supernet.named_parameters(), strict=True)

    def loss(values: Sequence[Tensor], batch: Batch) -> Tensor:
        images, labels = batch
        logits: Tensor = functional_call(supernet, dict(zip(names, values, strict=True)), (images, alphas.softmax(1)))
        return F.cross_entropy(logits, labels)

    def moved(direction: Sequence[Tensor], distance: float | Tensor) -> list[Tensor]:
        return [weight.detach() + distance * v for weight, v in zip(weights, direction, strict=True)]

    gradients = torch.autograd.grad(loss(weights, weight_batch), weights)
    with torch.no_grad():
        steps = [
            recipe.momentum * momentum + by_loss + recipe.weight_decay * weight
            for weight, by_loss, momentum in zip(weights, gradients, momenta, strict=True)
        ]
    unrolled = [weight.requires_grad_() for weight in moved(steps, -rate)]
    direct, *by_weight = torch.autograd.grad(loss(unrolled, alpha_batch), [alphas, *unrolled])
    epsilon = recipe.finite_difference / torch.cat([v.flatten() for v in by_weight]).norm()
    ahead, behind = (
        torch.autograd.grad(loss(moved(by_weight, sign * epsilon), weight_batch), alphas)[0] for sign in (1, -1)
    )
    gradient: Tensor = direct - rate * (ahead - behind) / (2 * epsilon)
    return gradient


class SecondOrderDartsTraining(BilevelTraining):
    """A supernet of second-order DARTS in training; see `BilevelTraining`."""

    recipe: SecondOrderDartsRecipe

    def step(self, epoch: int, weight_batch: Tensor, alpha_batch: Tensor) -> float:
        of_weights, of_alphas = ((self.images[batch], self.labels[batch]) for batch in (weight_batch, alpha_batch))
        momenta, rate = self.descent.momenta(), self.descent.rate
        alphas = self.alpha.value
        self.alpha.step(unrolled_alpha_gradient(self.model, alphas, of_weights, of_alphas, momenta, rate, self.recipe))
        images, labels = of_weights
        return self.descent.step(F.cross_entropy(self.model(images, alphas.detach().softmax(1)), labels))
