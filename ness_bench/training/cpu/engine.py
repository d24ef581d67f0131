"""Training and prediction on a tape: the loops around the kernels, and the engine that `fit` drives."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.cpu import kernels
from ness_bench.training.cpu.lanes import Array, Indices, compiled
from ness_bench.training.cpu.tape import AVERAGE, CONVOLVE, COPY, NORMALISE, RELU, Cut, Tape, tape
from ness_bench.training.parameters import Parameters, stand_alone
from ness_bench.training.recipe import Recipe


class Machine(NamedTuple):
    """A tape, the cut of it that runs, and the memory it works on, as the compiled loops take them.

    Attributes:
        operations, spans: of the cut; none until `running` is told one.
        starts, links, shares: of the tape.
        batch: images a pass, that memory is laid out for.
        examples: how many of these the batch's statistics are made of; the rest fills up.
        features: offset of the classifier's input in the values; `features_gradient` in the gradients.
        pixels, channels: its shape.
        classifier: offset of the classifier's weight [classes, channels] in the parameters; its bias is last.
        parameters, parameter_gradients, momentum: flat, equally long.
        values, gradients: of the feature maps.
        mean, inverse: of the last batch, a channel of each normalisation.
        running_mean, running_variance: likewise, for prediction.
        pooled, pooled_gradient: [channels, batch], the classifier's input averaged over pixels.
        probabilities: [classes, batch].
    """

    operations: Any
    spans: Indices
    starts: Indices
    links: Indices
    shares: Array
    batch: int
    examples: int
    features: int
    features_gradient: int
    pixels: int
    channels: int
    classifier: int
    parameters: Array
    parameter_gradients: Array
    momentum: Array
    values: Array
    gradients: Array
    mean: Array
    inverse: Array
    running_mean: Array
    running_variance: Array
    pooled: Array
    pooled_gradient: Array
    probabilities: Array

    def running(self, cut: Cut) -> "Machine":
        """The same memory with another cut."""
        return self._replace(operations=cut.operations, spans=cut.spans)


@compiled
def load_images(machine: Machine, images: Array, picks: Indices) -> None:
    """Images [examples, pixels × channels] to values [pixels × channels, batch]."""
    for b, pick in enumerate(picks):
        for i in range(images.shape[1]):
            machine.values[i * machine.batch + b] = images[pick, i]


@compiled
def forward(machine: Machine, own_statistics: bool) -> None:
    """Values of all feature maps, normalised by the batch's own statistics or by the running ones.

    The former also moves the latter.
    """
    m = machine
    for i in range(len(m.operations)):
        op = m.operations[i]
        accumulate = op.accumulate != 0
        elements = op.target_pixels * op.target_channels * m.batch
        source = m.values[op.source : op.source + op.source_pixels * op.source_channels * m.batch]
        target = m.values[op.target : op.target + elements]
        if op.kind == CONVOLVE:
            kernels.convolve(
                m.starts,
                m.links,
                op.window,
                op.target_pixels,
                m.values,
                op.source,
                op.source_channels,
                m.parameters,
                op.weight,
                m.values,
                op.target,
                op.target_channels,
                m.batch,
                accumulate,
            )
        elif op.kind == NORMALISE:
            own = slice(op.statistics, op.statistics + op.target_channels)
            if own_statistics:
                kernels.batch_statistics(
                    m.values,
                    op.source,
                    op.source_pixels,
                    op.source_channels,
                    m.batch,
                    m.examples,
                    m.mean[own],
                    m.inverse[own],
                    m.running_mean[own],
                    m.running_variance[own],
                )
                mean, inverse = m.mean[own], m.inverse[own]
            else:
                mean = m.running_mean[own]
                inverse = 1 / np.sqrt(m.running_variance[own] + np.float32(kernels.EPSILON))
            scale = m.parameters[op.weight : op.weight + op.target_channels] * inverse
            shift = m.parameters[op.bias : op.bias + op.target_channels] - mean * scale
            kernels.affine(
                m.values,
                op.source,
                op.source_pixels,
                op.source_channels,
                m.batch,
                scale,
                shift,
                m.values,
                op.target,
                accumulate,
            )
        elif op.kind == RELU:
            kernels.relu(source, target)
        elif op.kind == AVERAGE:
            size = op.source_channels * m.batch
            kernels.average(
                m.starts,
                m.links,
                m.shares,
                op.window,
                op.target_pixels,
                m.values,
                op.source,
                m.values,
                op.target,
                size,
                accumulate,
            )
        elif op.kind == COPY:
            kernels.copy(source, target, accumulate)
        else:
            target[:] = 0


@compiled
def backward(machine: Machine) -> None:
    """Gradients of all feature maps and parameters, from the gradient of the classifier's input map."""
    m = machine
    for i in range(len(m.operations) - 1, -1, -1):
        op = m.operations[i]
        accumulate = op.accumulate_gradient != 0
        source_elements = op.source_pixels * op.source_channels * m.batch
        target_elements = op.target_pixels * op.target_channels * m.batch
        if op.kind == CONVOLVE:
            kernels.convolve_weight_gradient(
                m.starts,
                m.links,
                op.window,
                op.target_pixels,
                m.values,
                op.source,
                op.source_channels,
                m.gradients,
                op.target_gradient,
                op.target_channels,
                m.parameter_gradients,
                op.weight,
                op.taps,
                m.batch,
            )
            if op.source_gradient >= 0:
                transposed = kernels.transpose_weights(
                    m.parameters, op.weight, op.taps, op.source_channels, op.target_channels
                )
                kernels.convolve(
                    m.starts,
                    m.links,
                    op.reverse,
                    op.source_pixels,
                    m.gradients,
                    op.target_gradient,
                    op.target_channels,
                    transposed,
                    0,
                    m.gradients,
                    op.source_gradient,
                    op.source_channels,
                    m.batch,
                    accumulate,
                )
        elif op.kind == NORMALISE:
            own = slice(op.statistics, op.statistics + op.target_channels)
            weight = slice(op.weight, op.weight + op.target_channels)
            bias = slice(op.bias, op.bias + op.target_channels)
            kernels.normalise_gradient(
                m.values,
                op.source,
                op.source_pixels,
                op.source_channels,
                m.batch,
                m.mean[own],
                m.inverse[own],
                m.parameters[weight],
                m.gradients,
                op.target_gradient,
                m.gradients,
                op.source_gradient,
                accumulate,
                m.parameter_gradients[weight],
                m.parameter_gradients[bias],
            )
        elif op.kind == AVERAGE:
            size = op.source_channels * m.batch
            kernels.average(
                m.starts,
                m.links,
                m.shares,
                op.reverse,
                op.source_pixels,
                m.gradients,
                op.target_gradient,
                m.gradients,
                op.source_gradient,
                size,
                accumulate,
            )
        else:
            dx = m.gradients[op.source_gradient : op.source_gradient + source_elements]
            dy = m.gradients[op.target_gradient : op.target_gradient + target_elements]
            if op.kind == RELU:
                kernels.relu_gradient(m.values[op.target : op.target + target_elements], dy, dx, accumulate)
            elif op.kind == COPY:
                kernels.copy(dy, dx, accumulate)
            elif not accumulate:
                dx[:] = 0


@compiled
def classify(machine: Machine) -> None:
    """Probabilities from the values of the classifier's input map."""
    m = machine
    classes = len(m.probabilities)
    m.pooled[:] = 0
    i = m.features
    for _ in range(m.pixels):
        for c in range(m.channels):
            for b in range(m.batch):
                m.pooled[c, b] += m.values[i + b]
            i += m.batch
    bias = m.classifier + classes * m.channels
    for k in range(classes):
        m.probabilities[k] = m.parameters[bias + k]
        for c in range(m.channels):
            weight = m.parameters[m.classifier + k * m.channels + c] / np.float32(m.pixels)
            for b in range(m.batch):
                m.probabilities[k, b] += weight * m.pooled[c, b]
    for b in range(m.batch):
        largest, total = m.probabilities[0, b], np.float32(0)
        for k in range(1, classes):
            largest = max(largest, m.probabilities[k, b])
        for k in range(classes):
            m.probabilities[k, b] = math.exp(m.probabilities[k, b] - largest)
            total += m.probabilities[k, b]
        for k in range(classes):
            m.probabilities[k, b] /= total


@compiled
def classify_gradient(machine: Machine, labels: Indices) -> float:
    """Mean cross-entropy; its gradients by the classifier's parameters and by its input map."""
    m = machine
    classes = len(m.probabilities)
    bias = m.classifier + classes * m.channels
    loss = 0.0
    for b in range(m.batch):
        loss -= math.log(m.probabilities[labels[b], b]) / m.batch
    m.pooled_gradient[:] = 0
    for k in range(classes):
        by_logit = m.probabilities[k] / np.float32(m.batch)
        for b in range(m.batch):
            if labels[b] == k:
                by_logit[b] -= np.float32(1) / np.float32(m.batch)
        m.parameter_gradients[bias + k] += by_logit.sum()
        for c in range(m.channels):
            weight = m.classifier + k * m.channels + c
            m.parameter_gradients[weight] += (by_logit * m.pooled[c]).sum() / np.float32(m.pixels)
            share = m.parameters[weight] / np.float32(m.pixels)
            for b in range(m.batch):
                m.pooled_gradient[c, b] += share * by_logit[b]
    i = m.features_gradient
    for _ in range(m.pixels):
        for c in range(m.channels):
            for b in range(m.batch):
                m.gradients[i + b] = m.pooled_gradient[c, b]
            i += m.batch
    return loss


@compiled
def differentiate(machine: Machine, images: Array, labels: Indices, picks: Indices) -> float:
    """Mean cross-entropy of the picked images, and its gradients in `machine.parameter_gradients`."""
    load_images(machine, images, picks)
    for first, last in machine.spans:
        machine.parameter_gradients[first:last] = 0
    forward(machine, True)
    classify(machine)
    loss = classify_gradient(machine, labels[picks])
    backward(machine)
    return loss


@compiled
def descend(machine: Machine, rate: float, momentum: float, decay: float) -> None:
    """One step of Nesterov's method, as PyTorch's SGD takes it."""
    for first, last in machine.spans:
        for i in range(first, last):
            gradient = machine.parameter_gradients[i] + np.float32(decay) * machine.parameters[i]
            machine.momentum[i] = np.float32(momentum) * machine.momentum[i] + gradient
            machine.parameters[i] -= np.float32(rate) * (gradient + np.float32(momentum) * machine.momentum[i])


@compiled
def clip(machine: Machine, longest: float) -> None:
    """Shorten a gradient whose Euclidean norm exceeds `longest`, as PyTorch does."""
    squares = 0.0
    for first, last in machine.spans:
        for i in range(first, last):
            squares += float(machine.parameter_gradients[i]) ** 2
    scale = np.float32(longest / (math.sqrt(squares) + 1e-6))
    if scale < 1:
        for first, last in machine.spans:
            machine.parameter_gradients[first:last] *= scale


@compiled
def train(
    machine: Machine,
    images: Array,
    labels: Indices,
    batches: Indices,
    rates: npt.NDArray[np.float64],
    momentum: float,
    decay: float,
    longest: float,
) -> None:
    """A step for each row of `batches` [steps, batch], at its learning rate."""
    for step in range(len(batches)):
        differentiate(machine, images, labels, batches[step])
        clip(machine, longest)
        descend(machine, rates[step], momentum, decay)


@compiled
def predict(machine: Machine, images: Array, own_statistics: bool) -> Array:
    """Class probabilities [examples, classes], normalised as in `forward`."""
    examples = len(images)
    result = np.empty((examples, len(machine.probabilities)), np.float32)
    for start in range(0, examples, machine.batch):
        # A last batch that is not full is filled up with its own last image.
        load_images(machine, images, np.minimum(np.arange(start, start + machine.batch), examples - 1))
        forward(machine, own_statistics)
        classify(machine)
        for i in range(start, min(start + machine.batch, examples)):
            result[i] = machine.probabilities[:, i - start]
    return result


def _aligned(elements: int) -> Array:
    """Zeros that begin at a cache line, so that no vector straddles two."""
    raw = np.zeros(elements + 16, np.float32)
    skip = -raw.ctypes.data % 64 // 4
    return raw[skip : skip + elements]


def assemble(tape: Tape, parameters: Parameters) -> Machine:
    """Memory for a tape.

    Raises:
        NessBenchError: the kernels cannot do its batch or its number of channels.
    """
    if tape.batch % kernels.BATCH_MULTIPLE:
        raise NessBenchError(
            f"batch size {tape.batch} is not possible with the CPU engine; "
            f'choose a multiple of {kernels.BATCH_MULTIPLE}, or the engine "torch"'
        )
    if tape.skeleton.channels % kernels.CHANNEL_MULTIPLE:
        raise NessBenchError(
            f"{tape.skeleton.channels} channels are not possible with the CPU engine; "
            f'choose a multiple of {kernels.CHANNEL_MULTIPLE}, or the engine "torch"'
        )
    features, flat = tape.features, tape.pack(parameters)
    return Machine(
        operations=tape.operations[:0],
        spans=tape.spans[:0],
        starts=tape.starts,
        links=tape.links,
        shares=tape.shares,
        batch=tape.batch,
        examples=tape.batch,
        features=features.values,
        features_gradient=features.gradients,
        pixels=features.size**2,
        channels=features.channels,
        classifier=tape.classifier,
        parameters=flat,
        parameter_gradients=np.zeros_like(flat),
        momentum=np.zeros_like(flat),
        values=_aligned(tape.values),
        gradients=_aligned(tape.gradients),
        mean=np.zeros(tape.statistics, np.float32),
        inverse=np.zeros(tape.statistics, np.float32),
        running_mean=np.zeros(tape.statistics, np.float32),
        running_variance=np.ones(tape.statistics, np.float32),
        pooled=np.zeros((features.channels, tape.batch), np.float32),
        pooled_gradient=np.zeros((features.channels, tape.batch), np.float32),
        probabilities=np.zeros((tape.skeleton.classes, tape.batch), np.float32),
    )


class CPUEngine:
    """One network in training.

    Args:
        architecture, skeleton: the network.
        recipe: how it is trained; the batch size must be a multiple of 16.
        initial: parameters to start from.
    """

    def __init__(self, architecture: Architecture, skeleton: Skeleton, recipe: Recipe, initial: Parameters) -> None:
        self.recipe = recipe
        self.tape = tape(stand_alone(architecture), skeleton, recipe.batch_size)
        self.machine = assemble(self.tape, initial).running(self.tape.cut(architecture))

    def train(self, images: Array, labels: Indices, batches: Indices, rates: npt.NDArray[np.float64]) -> None:
        """Take a step for each row of `batches`.

        Args:
            images: float32 [examples, height, width, channels].
            labels: int64 [examples].
            batches: int64 [steps, batch], indices of examples.
            rates: float64 [steps], learning rates.
        """
        flat = images.reshape(len(images), -1)
        train(self.machine, flat, labels, batches, rates, self.recipe.momentum, self.recipe.weight_decay, math.inf)

    def predict(self, images: Array) -> Array:
        """Class probabilities, float32 [examples, classes], of images [examples, height, width, channels]."""
        return predict(self.machine, images.reshape(len(images), -1), False)

    def loss_and_gradients(self, images: Array, labels: Indices) -> tuple[float, Parameters]:
        """Mean cross-entropy of one batch and its gradient by every parameter."""
        flat = images.reshape(len(images), -1)
        loss = differentiate(self.machine, flat, labels, np.arange(self.recipe.batch_size))
        return loss, self.tape.unpack(self.machine.parameter_gradients)
