"""SNAS (Xie, Zheng, Liu & Lin, ICLR 2019, arXiv 1812.09926): weights and α learn from one loss on one batch.

Each step draws Z from the Concrete distribution of α at temperature λ and weights all operations by it; the
cross-entropy of the batch, plus η times the resources that Z takes, is differentiated with respect to both the weights
and, through Z, α. There is one level: all training images serve both. Source of the constants: the authors' search code
(SNAS-Series), whose distributed branch has Adam on α; theirs augments the images and steps the learning rate once an
epoch, ours does neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.networks import darts_skeleton
from ness_bench.networks import skeleton as nas_bench_201
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernets import OneShotSkeleton, supernet_of
from ness_bench.spaces.nas_bench_201 import EDGES
from ness_bench.training.one_shot.alphas import Alphas
from ness_bench.training.one_shot.descent import Descent, shuffled, train_tensors
from ness_bench.training.one_shot.recipe import AlphaRecipe
from ness_bench.training.one_shot.relaxation import annealed, concrete
from ness_bench.training.one_shot.training import Training, require_torch


@dataclass(frozen=True)
class SnasRecipe(AlphaRecipe):
    """The published constants.

    Attributes:
        alpha_mean: of the initial α, which is log α in the paper.
        alpha_gradient_clip: longest gradient of α, in the Euclidean norm.
        temperature: λ in the first epoch.
        final_temperature: λ in the last epoch; it falls linearly, an epoch at a time.
        resource_weight: η, in nats for the FLOPs of the average architecture; 0 leaves the resource term out. The
            published constraints (mild, moderate, aggressive) weight a sum of sizes, FLOPs and memory accesses, and
            have no counterpart here.
    """

    epochs: int = 150
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    weight_decay: float = 3e-4
    nesterov: bool = False
    alpha_mean: float = 1.0
    alpha_scale: float = 1e-2
    alpha_gradient_clip: float = 10.0
    temperature: float = 1.0
    final_temperature: float = 0.03
    resource_weight: float = 0.0


def cost_table(skeleton: OneShotSkeleton) -> Tensor:
    """The FLOPs of each operation on each edge as a share of the average network's, float32 [edges, operations]."""
    if isinstance(skeleton, Skeleton):
        flops: object = [nas_bench_201.operation_flops(skeleton)] * len(EDGES)
        mean = nas_bench_201.mean_flops(skeleton)
    else:
        flops, mean = darts_skeleton.operation_flops(skeleton), darts_skeleton.mean_flops(skeleton)
    return torch.tensor(flops, dtype=torch.float64).div(mean).float()


def resources(choice: Tensor, costs: Tensor) -> Tensor:
    """What a relaxed choice [edges, operations] costs; its gradient reaches α through the choice."""
    return (choice * costs).sum()


class SnasTraining(Training):
    """A supernet of SNAS in training.

    Args:
        data: its train split is used.
        skeleton, recipe: of the supernet and of its training.
        seed: of the initial weights and α, the order of the images and the relaxed choices.
        engine: "torch", or None, which is the same.

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe, another engine is asked for, or there are
            no costs to weight.
    """

    def __init__(
        self, data: DataSet, skeleton: OneShotSkeleton, recipe: SnasRecipe, seed: int, engine: str | None = None
    ) -> None:
        self.engine = require_torch(engine)
        self.recipe = recipe
        self.images, self.labels = train_tensors(data, skeleton, recipe.batch_size)
        self.generator = torch.Generator().manual_seed(seed)
        self.model = supernet_of(skeleton, self.generator)
        self.costs = cost_table(skeleton)
        self.descent = Descent(self.model, recipe, recipe.epochs * (len(self.labels) // recipe.batch_size))
        noise = torch.randn(self.model.alpha_shape, generator=self.generator)
        self.alpha = Alphas(recipe.alpha_mean + recipe.alpha_scale * noise, recipe)
        self.parts = {"weights": self.descent, "alphas": self.alpha}

    @property
    def alphas(self) -> npt.NDArray[np.float32]:
        return self.alpha.history

    def loss(self, choice: Tensor, batch: Tensor) -> Tensor:
        """The loss of a batch of example indices under a relaxed choice [edges, operations]."""
        loss = F.cross_entropy(self.model(self.images[batch], choice), self.labels[batch])
        weight = self.recipe.resource_weight
        return loss + weight * resources(choice, self.costs) if weight else loss

    def steps(self, epoch: int) -> Iterator[float]:
        r, alphas = self.recipe, self.alpha.value
        temperature = annealed(r.temperature, r.final_temperature, epoch, r.epochs)
        for batch in shuffled(torch.arange(len(self.labels)), r.batch_size, self.generator):
            loss = self.descent.step(self.loss(concrete(alphas, temperature, self.generator), batch))
            nn.utils.clip_grad_norm_(alphas, r.alpha_gradient_clip)
            assert alphas.grad is not None, "the loss depends on α"
            self.alpha.step(alphas.grad)
            yield loss
        self.alpha.log()
