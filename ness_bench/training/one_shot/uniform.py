"""Uniform single-path training: each step draws one architecture and updates only the weights on its path.

Source of the scheme: the supernet of NESS (Shu, Chen, Dai & Low, arXiv 2109.02533), after uniform sampling
in one-shot search (Guo et al., arXiv 1904.00420); of the constants: ours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import EDGES, OPERATIONS
from ness_bench.training.one_shot.descent import Descent, WeightRecipe, shuffled, train_tensors
from ness_bench.training.tensors import one_thread


@dataclass(frozen=True)
class UniformRecipe(WeightRecipe):
    """The defaults suit the shipped scale (10,000 images, C=4, N=3)."""

    epochs: int = 80
    batch_size: int = 96
    learning_rate: float = 0.1
    final_learning_rate: float = 0.0


def train(
    data: DataSet, skeleton: Skeleton, recipe: UniformRecipe, seed: int, progress: Callable[[int], object] | None = None
) -> Supernet:
    """Train a supernet on the train split.

    Args:
        seed: of the initial weights, the order of the images and the architectures.
        progress: called after each epoch with the number of epochs done.

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe.
    """
    images, labels = train_tensors(data, skeleton, recipe.batch_size)
    generator = torch.Generator().manual_seed(seed)
    supernet = Supernet(skeleton, generator)
    descent = Descent(supernet, recipe, recipe.epochs * (len(labels) // recipe.batch_size))
    examples = torch.arange(len(labels))
    with one_thread():
        for epoch in range(recipe.epochs):
            for batch in shuffled(examples, recipe.batch_size, generator):
                architecture = tuple(torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist())
                logits = supernet.forward_path(images[batch], architecture)
                descent.step(F.cross_entropy(logits, labels[batch]))
            if progress is not None:
                progress(epoch + 1)
    return supernet
