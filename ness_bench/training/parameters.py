"""The parameters of a stand-alone network by name, and their values before training.

Names and shapes are those of `Network.state_dict()` in `ness_bench.networks.nas_bench_201`, so that every
training engine starts from the same point.
"""

import math

import numpy as np
import numpy.typing as npt

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, Architecture, prune

KERNEL = {CONV_1X1: 1, CONV_3X3: 3}

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, npt.NDArray[np.float32]]


def _convolution(name: str, inputs: int, outputs: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel)}


def _normalisation(name: str, channels: int) -> Shapes:
    return {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}


def _relu_conv_bn(name: str, inputs: int, outputs: int, kernel: int) -> Shapes:
    return _convolution(f"{name}.1", inputs, outputs, kernel) | _normalisation(f"{name}.2", outputs)


def shapes(architecture: Architecture, skeleton: Skeleton) -> Shapes:
    """The shape of every trainable parameter of the pruned network, in the order of its modules."""
    width, _ = skeleton.stages[0]
    result = _convolution("stem.0", skeleton.input_channels, width, 3) | _normalisation("stem.1", width)
    block = 0
    for stage, (width, _) in enumerate(skeleton.stages):
        if stage > 0:
            result |= _relu_conv_bn(f"body.{block}.reduce", width // 2, width, 3)
            result |= _relu_conv_bn(f"body.{block}.refine", width, width, 3)
            result |= _convolution(f"body.{block}.shortcut", width // 2, width, 1)
            block += 1
        for _ in range(skeleton.cells):
            for edge, operation in enumerate(prune(architecture)):
                if operation in KERNEL:
                    result |= _relu_conv_bn(f"body.{block}.convolutions.{edge}", width, width, KERNEL[operation])
            block += 1
    result |= _normalisation("head.0", width)
    return result | {"classifier.weight": (skeleton.classes, width), "classifier.bias": (skeleton.classes,)}


def initial(architecture: Architecture, skeleton: Skeleton, rng: np.random.Generator) -> Parameters:
    """Values drawn by PyTorch's default law.

    Convolutions and the classifier, its bias included, are uniform on ±1/√fan_in; batch normalisation
    starts with weight 1 and bias 0.
    """

    def draw(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        if len(shape) > 1 or name == "classifier.bias":
            fan_in = math.prod(shape[1:]) if len(shape) > 1 else skeleton.stages[-1][0]
            return rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(math.sqrt(fan_in))
        return np.full(shape, name.endswith("weight"), np.float32)

    return {name: draw(name, shape) for name, shape in shapes(architecture, skeleton).items()}
