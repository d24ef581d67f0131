"""Uniform single-path training: each step draws one architecture and updates only the weights on its path.

Source of the scheme: the supernet of NESS (Shu, Chen, Dai & Low, arXiv 2109.02533), after uniform sampling
in one-shot search (Guo et al., arXiv 1904.00420); of the constants: ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import EDGES, OPERATIONS, Architecture
from ness_bench.training.one_shot.descent import Descent, shuffled, train_tensors
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.tensors import one_thread, to_arrays


@dataclass(frozen=True)
class UniformRecipe(WeightRecipe):
    """The defaults suit the shipped scale (10,000 images, C=4, N=3).

    They were chosen by how well inherited-weight NLL ranks stand-alone validation accuracy there, on 600 strings.
    Many small steps matter, since a step updates a fraction of the weights, and short gradients, since those of a
    path that is seldom drawn are long: after 160 epochs the rank correlation is .77 with gradients clipped to .5 and
    .68 with 5. A rate that falls to 0 lets cells with few convolutions, which converge first, lead: with
    batches of 96, gradients clipped to 5 and such a rate it is about 0 after 40 epochs.
    """

    epochs: int = 80
    batch_size: int = 32
    learning_rate: float = 0.1
    final_learning_rate: float = 0.03
    gradient_clip: float = 0.5


Steps = Iterator[tuple[Architecture, Tensor]]
"""The architecture and the examples of each step."""


def _draw(examples: int, recipe: UniformRecipe, generator: torch.Generator) -> Steps:
    for _ in range(recipe.epochs):
        for batch in shuffled(torch.arange(examples), recipe.batch_size, generator):
            yield tuple(torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist()), batch


def _train_torch(
    supernet: Supernet, images: Tensor, labels: Tensor, recipe: UniformRecipe, count: int, steps: Steps
) -> None:
    descent = Descent(supernet, recipe, count)
    with one_thread():
        for architecture, batch in steps:
            descent.step(F.cross_entropy(supernet.forward_path(images[batch], architecture), labels[batch]))


def _train_cpu(
    supernet: Supernet, images: Tensor, labels: Tensor, recipe: UniformRecipe, count: int, steps: Steps
) -> None:
    from ness_bench.training.cpu.supernet import CPUSupernet  # here, since Numba is slow to load

    training = CPUSupernet(supernet.skeleton, to_arrays(supernet), recipe)
    pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    spread = (recipe.learning_rate - recipe.final_learning_rate) / 2
    rates = recipe.final_learning_rate + spread * (1 + np.cos(np.pi * np.arange(count) / count))
    for (architecture, batch), rate in zip(steps, rates, strict=True):
        training.step(architecture, pixels, labels.numpy(), batch.numpy(), rate)
    supernet.load_state_dict({name: torch.from_numpy(value) for name, value in training.weights().items()})


def train(
    data: DataSet,
    skeleton: Skeleton,
    recipe: UniformRecipe,
    seed: int,
    *,
    engine: Literal["cpu", "torch"] = "cpu",
) -> Supernet:
    """Train a supernet on the train split.

    Args:
        seed: of the initial weights, the order of the images and the architectures, whatever the engine.
        engine: "cpu" runs compiled loops made for small networks, "torch" eager PyTorch; both use one thread.

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe, or the engine cannot do this size.
    """
    engines = {"cpu": _train_cpu, "torch": _train_torch}
    if engine not in engines:
        raise NessBenchError(f'unknown training engine "{engine}"; choose "cpu" or "torch"')
    images, labels = train_tensors(data, skeleton, recipe.batch_size)
    generator = torch.Generator().manual_seed(seed)
    supernet = Supernet(skeleton, generator)
    count = recipe.epochs * (len(labels) // recipe.batch_size)
    engines[engine](supernet, images, labels, recipe, count, _draw(len(labels), recipe, generator))
    return supernet
