"""Bilevel training: one half of the training images for the weights, the other for α, a batch of each a step.

α minimises the loss on images that the weights have not seen (Liu, Simonyan & Yang, ICLR 2019, equation 3).
"""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ness_bench.data.images import DataSet
from ness_bench.networks.supernets import OneShotSkeleton, supernet_of
from ness_bench.training.one_shot.alphas import Alphas, small_random
from ness_bench.training.one_shot.descent import Descent, halves, shuffled, train_tensors
from ness_bench.training.one_shot.recipe import AlphaRecipe
from ness_bench.training.one_shot.training import Training, require_torch


class BilevelTraining(Training):
    """A supernet and its α in training.

    Args:
        data: its train split is used.
        skeleton, recipe: of the supernet and of its training.
        seed: of the halves, the initial weights and α, and all that is drawn later.
        engine: "torch", or None, which is the same.

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe, or another engine is asked for.
    """

    def __init__(
        self, data: DataSet, skeleton: OneShotSkeleton, recipe: AlphaRecipe, seed: int, engine: str | None = None
    ) -> None:
        self.engine = require_torch(engine)
        self.images, self.labels = train_tensors(data, skeleton, 2 * recipe.batch_size)
        self.generator = torch.Generator().manual_seed(seed)
        self.recipe = recipe
        self._weight_half, self._alpha_half = halves(len(self.labels), self.generator)
        self.model = supernet_of(skeleton, self.generator)
        self.descent = Descent(self.model, recipe, recipe.epochs * (len(self._weight_half) // recipe.batch_size))
        self.alpha = Alphas(small_random(self.model.alpha_shape, recipe, self.generator), recipe)
        self.parts = {"weights": self.descent, "alphas": self.alpha}

    @property
    def alphas(self) -> npt.NDArray[np.float32]:
        return self.alpha.history

    @abstractmethod
    def step(self, epoch: int, weight_batch: Tensor, alpha_batch: Tensor) -> float:
        """Update the weights and α on a batch of example indices each; the loss of the weights' batch."""

    def steps(self, epoch: int) -> Iterator[float]:
        weight_batches = shuffled(self._weight_half, self.recipe.batch_size, self.generator)
        alpha_batches = shuffled(self._alpha_half, self.recipe.batch_size, self.generator)
        for weight_batch, alpha_batch in zip(weight_batches, alpha_batches, strict=False):
            yield self.step(epoch, weight_batch, alpha_batch)
        self.alpha.log()
