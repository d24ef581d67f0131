"""A supernet on the CPU engine: training, and predicting, with the weights on one path at a time."""

from collections.abc import Iterable, Iterator

import numpy as np

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.cpu import kernels
from ness_bench.training.cpu.engine import assemble, differentiate, predict, train
from ness_bench.training.cpu.lanes import Array, Indices
from ness_bench.training.cpu.tape import tape
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.parameters import SHARED, Parameters


class CPUSupernet:
    """A supernet in single-path training.

    Args:
        skeleton: of the supernet; its channels must be a multiple of 4.
        initial: weights to start from, by their names in `Supernet.state_dict()`.
        recipe: how it is trained; the batch size must be a multiple of 16.
    """

    def __init__(self, skeleton: Skeleton, initial: Parameters, recipe: WeightRecipe) -> None:
        self.recipe = recipe
        self.tape = tape(SHARED, skeleton, recipe.batch_size)
        self.machine = assemble(self.tape, initial)

    def step(self, architecture: Architecture, images: Array, labels: Indices, batch: Indices, rate: float) -> None:
        """Update the weights on an architecture's path; all others, and their momentum, stay as they are.

        Args:
            images: float32 [examples, height, width, channels].
            labels: int64 [examples].
            batch: int64 [batch], indices of examples.
            rate: the learning rate.
        """
        machine, r = self.machine.running(self.tape.cut(architecture)), self.recipe
        flat, rates = images.reshape(len(images), -1), np.array([rate])
        train(machine, flat, labels, batch[None], rates, r.momentum, r.weight_decay, r.gradient_clip)

    def loss_and_gradients(
        self, architecture: Architecture, images: Array, labels: Indices
    ) -> tuple[float, Parameters]:
        """Mean cross-entropy of one batch and its gradient by every weight."""
        self.machine.parameter_gradients[:] = 0
        machine = self.machine.running(self.tape.cut(architecture))
        loss = differentiate(machine, images.reshape(len(images), -1), labels, np.arange(self.recipe.batch_size))
        return loss, self.tape.unpack(machine.parameter_gradients)

    def weights(self) -> Parameters:
        """The weights as they are now."""
        return self.tape.unpack(self.machine.parameters)


def predictions(
    skeleton: Skeleton, weights: Parameters, architectures: Iterable[Architecture], images: Array
) -> Iterator[Array]:
    """The class probabilities of each architecture in turn, float32 [examples, classes].

    All images form one batch, whose statistics normalise each of them.

    Args:
        images: float32 [examples, height, width, channels].
    """
    examples = len(images)
    batch = -(-examples // kernels.BATCH_MULTIPLE) * kernels.BATCH_MULTIPLE
    shared = tape(SHARED, skeleton, batch)
    machine = assemble(shared, weights)._replace(examples=examples)
    for architecture in architectures:
        yield predict(machine.running(shared.cut(architecture)), images.reshape(examples, -1), True)
