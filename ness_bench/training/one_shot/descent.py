"""What both ways to train a supernet share: images as tensors, shuffled batches, the steps on weights."""

import torch
from torch import Tensor, nn

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton, require_fit
from ness_bench.networks.supernet import Supernet
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.tensors import to_tensor


class Descent:
    """The steps of a recipe on a supernet's weights.

    Args:
        supernet: is updated in place.
        recipe: of the steps.
        steps: in the whole training.
    """

    def __init__(self, supernet: Supernet, recipe: WeightRecipe, steps: int) -> None:
        self._weights = list(supernet.parameters())
        self._clip = recipe.gradient_clip
        self._optimizer = torch.optim.SGD(
            self._weights, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, steps, recipe.final_learning_rate)

    def step(self, loss: Tensor) -> None:
        """Update the weights that the loss depends on; all others, and their momentum, stay as they are."""
        self._optimizer.zero_grad(set_to_none=True)  # the optimizer leaves alone what has no gradient
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._weights, self._clip)
        self._optimizer.step()
        self._schedule.step()


def train_tensors(data: DataSet, skeleton: Skeleton, at_least: int) -> tuple[Tensor, Tensor]:
    """The training images, normalised, and their labels.

    Raises:
        NessBenchError: the data set does not fit the skeleton, or has fewer than `at_least` training images.
    """
    require_fit(data, skeleton)
    if len(data.train) < at_least:
        raise NessBenchError(
            f"{len(data.train)} training images were given, but a step takes {at_least}; make the batch smaller"
        )
    return to_tensor(data.normalise(data.train.pixels)), torch.from_numpy(data.train.labels)


def shuffled(examples: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """Full batches of example indices in random order, int64 [batches, batch_size]."""
    order = torch.randperm(len(examples), generator=generator)
    full = len(examples) // batch_size * batch_size
    return examples[order[:full]].view(-1, batch_size)
