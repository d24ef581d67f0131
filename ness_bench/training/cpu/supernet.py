"""A supernet on the CPU engine: training, and predicting, with the weights on one path at a time."""

from collections.abc import Iterable, Iterator

import numpy as np

from ness_bench.ensembles.metrics import TINY
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

    def step(self, architecture: Architecture, images: Array, labels: Indices, batch: Indices, rate: float) -> float:
        """Update the weights on an architecture's path; all others, and their momentum, stay as they are.

        Args:
            images: float32 [examples, height, width, channels].
            labels: int64 [examples].
            batch: int64 [batch], indices of examples.
            rate: the learning rate.

        Returns:
            The mean cross-entropy of the batch before the update; a probability counts as `TINY` at least.
        """
        machine, r = self.machine.running(self.tape.cut(architecture)), self.recipe
        flat, rates = images.reshape(len(images), -1), np.array([rate])
        train(machine, flat, labels, batch[None], rates, r.momentum, r.weight_decay, r.gradient_clip)
        likelihoods = machine.probabilities[labels[batch], np.arange(len(batch))]
        return float(-np.log(np.maximum(likelihoods, TINY)).mean())

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

    def momentum(self) -> Parameters:
        """The momentum of each weight as it is now."""
        return self.tape.unpack(self.machine.momentum)

    def restore(self, weights: Parameters, momentum: Parameters) -> None:
        """Go on from weights and momentum that another training had."""
        _, end = self.tape.spans[-1]
        self.machine.parameters[:end] = self.tape.pack(weights)[:end]
        self.machine.momentum[:end] = self.tape.pack(momentum)[:end]


def predictions(
    skeleton: Skeleton,
    weights: Parameters,
    architectures: Iterable[Architecture],
    images: Array,
    calibration: Array | None = None,
) -> Iterator[Array]:
    """The class probabilities of each architecture in turn, float32 [examples, classes].

    Args:
        images: float32 [examples, height, width, channels].
        calibration: likewise; one batch, whose statistics normalise each image. None stands for `images`.
    """
    own = images if calibration is None else calibration
    batch = -(-len(own) // kernels.BATCH_MULTIPLE) * kernels.BATCH_MULTIPLE
    shared = tape(SHARED, skeleton, batch)
    machine = assemble(shared, weights)._replace(examples=len(own))
    for architecture in architectures:
        running = machine.running(shared.cut(architecture))
        predicted = predict(running, own.reshape(len(own), -1), True)
        if calibration is not None:
            running.running_mean[:] = running.mean
            with np.errstate(divide="ignore"):  # what is not on this path may never have been computed
                running.running_variance[:] = 1 / running.inverse.astype(np.float64) ** 2 - kernels.EPSILON
            predicted = predict(running, images.reshape(len(images), -1), False)
        yield predicted
