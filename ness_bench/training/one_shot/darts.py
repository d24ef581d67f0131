"""DARTS, first order (Liu, Simonyan & Yang, ICLR 2019): mixed operations whose mixture is learned too.

Every edge computes the sum of all operations, weighted by the softmax of its architecture parameters α;
all cells share α. Each step updates the weights on a batch of one half of the training images, then α on
a batch of the other half, with the weights held fixed. Source of the constants and of the order within a
step: DARTS-V1 of the NAS-Bench-201 authors' search code; theirs augments the images, ours does not.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import EDGES, OPERATIONS
from ness_bench.training.one_shot.descent import Descent, shuffled, train_tensors
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.tensors import one_thread


@dataclass(frozen=True)
class DartsRecipe(WeightRecipe):
    """The published constants.

    Attributes:
        alpha_scale: standard deviation of the initial α.
        alpha_learning_rate: of Adam on α.
        alpha_betas: of Adam on α.
        alpha_weight_decay: L2 coefficient on α.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    alpha_scale: float = 1e-3
    alpha_learning_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_weight_decay: float = 1e-3


def halves(examples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices of two random halves of the training images: for the weights and for α."""
    order = torch.randperm(examples, generator=generator)
    return order[: examples // 2], order[examples // 2 :]


def alpha_gradient(supernet: Supernet, alphas: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the cross-entropy with respect to α [edges, operations] at fixed weights."""
    loss = F.cross_entropy(supernet(images, alphas.softmax(1)), labels)
    return torch.autograd.grad(loss, alphas)[0]


def train(
    data: DataSet, skeleton: Skeleton, recipe: DartsRecipe, seed: int
) -> tuple[Supernet, npt.NDArray[np.float32]]:
    """Train a supernet and its architecture parameters on the train split.

    Args:
        seed: of the halves, the initial weights and α, and the order of the images.

    Returns:
        The supernet, and α before the first and after each epoch, float32 [epochs + 1, edges, operations].

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe.
    """
    images, labels = train_tensors(data, skeleton, 2 * recipe.batch_size)
    generator = torch.Generator().manual_seed(seed)
    weight_half, alpha_half = halves(len(labels), generator)
    supernet = Supernet(skeleton, generator)
    descent = Descent(supernet, recipe, recipe.epochs * (len(weight_half) // recipe.batch_size))
    alphas = recipe.alpha_scale * torch.randn(len(EDGES), len(OPERATIONS), generator=generator)
    alphas.requires_grad_()
    adam = torch.optim.Adam(
        [alphas], recipe.alpha_learning_rate, recipe.alpha_betas, weight_decay=recipe.alpha_weight_decay
    )
    history = [alphas.detach().clone()]
    with one_thread():
        for _ in range(recipe.epochs):
            weight_batches = shuffled(weight_half, recipe.batch_size, generator)
            alpha_batches = shuffled(alpha_half, recipe.batch_size, generator)
            for weight_batch, alpha_batch in zip(weight_batches, alpha_batches, strict=False):
                logits = supernet(images[weight_batch], alphas.detach().softmax(1))
                descent.step(F.cross_entropy(logits, labels[weight_batch]))
                alphas.grad = alpha_gradient(supernet, alphas, images[alpha_batch], labels[alpha_batch])
                adam.step()
            history.append(alphas.detach().clone())
    return supernet, torch.stack(history).numpy()
