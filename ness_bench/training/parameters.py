"""The parameters of networks by name, and their values before training.

Names and shapes are those of `Network.state_dict()` in `ness_bench.networks.nas_bench_201` and of
`Supernet.state_dict()` in `ness_bench.networks.supernet`, so that every training engine starts from the
same point.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, NONE, OPERATIONS, Architecture, prune

KERNEL = {CONV_1X1: 1, CONV_3X3: 3}

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Cells:
    """What the cells of a network hold.

    Attributes:
        operations: that each edge has, or may have; `none` is not among them.
        kernel: name of a convolution's weight within its cell, by edge and operation.
        affine: whether the normalisations of the whole network have parameters.
    """

    operations: tuple[tuple[int, ...], ...]
    kernel: str
    affine: bool

    def kernel_name(self, block: str, edge: int, operation: int) -> str:
        return f"{block}.{self.kernel.format(edge=edge, operation=OPERATIONS[operation])}"


def stand_alone(architecture: Architecture) -> Cells:
    """The pruned cells of a network of one architecture."""
    live = tuple((operation,) if operation != NONE else () for operation in prune(architecture))
    return Cells(live, "convolutions.{edge}.1.weight", affine=True)


SHARED = Cells((tuple(range(1, len(OPERATIONS))),) * len(EDGES), "kernels.{edge}_{operation}", affine=False)
"""The cells of a supernet."""


def shapes(cells: Cells, skeleton: Skeleton) -> Shapes:
    """The shape of every trainable parameter, in the order of the network's modules."""
    result: Shapes = {}

    def convolution(name: str, inputs: int, outputs: int, kernel: int) -> None:
        result[name] = (outputs, inputs, kernel, kernel)

    def normalisation(name: str, channels: int) -> None:
        if cells.affine:
            result[f"{name}.weight"] = result[f"{name}.bias"] = (channels,)

    def relu_conv_bn(name: str, inputs: int, outputs: int) -> None:
        convolution(f"{name}.1.weight", inputs, outputs, 3)
        normalisation(f"{name}.2", outputs)

    width, _ = skeleton.stages[0]
    convolution("stem.0.weight", skeleton.input_channels, width, 3)
    normalisation("stem.1", width)
    block = 0
    for stage, (width, _) in enumerate(skeleton.stages):
        if stage > 0:
            relu_conv_bn(f"body.{block}.reduce", width // 2, width)
            relu_conv_bn(f"body.{block}.refine", width, width)
            convolution(f"body.{block}.shortcut.weight", width // 2, width, 1)
            block += 1
        for _ in range(skeleton.cells):
            for edge, operations in enumerate(cells.operations):
                for operation, kernel in KERNEL.items():
                    if operation in operations:
                        convolution(cells.kernel_name(f"body.{block}", edge, operation), width, width, kernel)
                        normalisation(f"body.{block}.convolutions.{edge}.2", width)
            block += 1
    normalisation("head.0", width)
    return result | {"classifier.weight": (skeleton.classes, width), "classifier.bias": (skeleton.classes,)}


def initial(architecture: Architecture, skeleton: Skeleton, rng: np.random.Generator) -> Parameters:
    """Values of a stand-alone network, drawn by PyTorch's default law.

    Convolutions and the classifier, its bias included, are uniform on ±1/√fan_in; batch normalisation
    starts with weight 1 and bias 0.
    """

    def draw(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        if len(shape) > 1 or name == "classifier.bias":
            fan_in = math.prod(shape[1:]) if len(shape) > 1 else skeleton.stages[-1][0]
            return rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(math.sqrt(fan_in))
        return np.full(shape, name.endswith("weight"), np.float32)

    return {name: draw(name, shape) for name, shape in shapes(stand_alone(architecture), skeleton).items()}
