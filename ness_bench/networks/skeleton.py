"""The macro skeleton that a cell is repeated in, and the FLOPs and parameters of the whole network.

Source: NAS-Bench-201 (Dong & Yang, ICLR 2020), whose own scale is ``Skeleton(channels=16, cells=5,
input_channels=3, classes=10)`` on 32×32 images. Costs are counted as it counts them: multiply-adds of
convolutions, 2 operations an element for batch normalisation, 1 for ReLU, 9 for a 3×3 pool.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import (
    CONV_1X1,
    CONV_3X3,
    EDGES,
    OPERATIONS,
    POOL,
    Architecture,
    architectures,
    prune,
)


@dataclass(frozen=True)
class Skeleton:
    """Stem, three stages of `cells` cells at widths C, 2C and 4C, two stride-2 residual blocks, classifier.

    Attributes:
        channels: the width C of the first stage.
        cells: N, the number of cells a stage.
        input_channels: 1 for grey images, 3 for colour.
        classes: the number of classes.
        image_size: height and width of the square input images, in pixels.
    """

    channels: int = 4
    cells: int = 3
    input_channels: int = 1
    classes: int = 10
    image_size: int = 8

    @property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """(width, image size) of each of the three stages."""
        sizes = [self.image_size]
        for _ in range(2):
            sizes.append((sizes[-1] + 1) // 2)
        return tuple((self.channels * 2**stage, size) for stage, size in enumerate(sizes))


class TakesImages(Protocol):
    """What a skeleton of any space says of its input and output; see `Skeleton`."""

    @property
    def image_size(self) -> int: ...
    @property
    def input_channels(self) -> int: ...
    @property
    def classes(self) -> int: ...


def require_fit(data: DataSet, skeleton: TakesImages) -> None:
    """Refuse a data set that a skeleton's networks cannot take.

    Raises:
        NessBenchError: its images or classes differ from the skeleton's.
    """
    expected = (skeleton.image_size, skeleton.image_size, skeleton.input_channels)
    if data.train.pixels.shape[1:] != expected or len(data.class_names) != skeleton.classes:
        raise NessBenchError(
            f'data set "{data.name}" has images {data.train.pixels.shape[1:]} of {len(data.class_names)} classes, but '
            f"the skeleton takes {expected} and {skeleton.classes}; build the skeleton for this data set"
        )


def edge_flops(operation: int, channels: int, size: int) -> int:
    """Forward FLOPs of one edge for one image."""
    elements = channels * size**2
    if operation == CONV_1X1:
        return elements * channels + 3 * elements
    if operation == CONV_3X3:
        return elements * channels * 9 + 3 * elements
    return 9 * elements if operation == POOL else 0


@lru_cache
def fixed_flops(skeleton: Skeleton) -> int:
    """Forward FLOPs for one image of all that is not a cell."""
    width, size = skeleton.stages[0]
    total = width * size**2 * (9 * skeleton.input_channels + 2)
    for (before, larger), (after, smaller) in zip(skeleton.stages, skeleton.stages[1:], strict=False):
        outputs = after * smaller**2
        total += before * larger**2 + outputs * (9 * before + 2)  # ReLU, 3×3 convolution of stride 2, BN
        total += outputs * (1 + 9 * after + 2)  # ReLU, 3×3 convolution, BN
        total += before * smaller**2 * 4 + outputs * before  # 2×2 pool and 1×1 convolution of the shortcut
    width, size = skeleton.stages[-1]
    return total + 4 * width * size**2 + width * skeleton.classes + skeleton.classes


@lru_cache
def operation_flops(skeleton: Skeleton) -> tuple[int, ...]:
    """Forward FLOPs for one image of each operation on one edge of all cells."""
    return tuple(
        skeleton.cells * sum(edge_flops(operation, width, size) for width, size in skeleton.stages)
        for operation in range(len(OPERATIONS))
    )


def flops(architecture: Architecture, skeleton: Skeleton) -> int:
    """Forward FLOPs for one image of the network, edges on no input-to-output path left out."""
    of = operation_flops(skeleton)
    return fixed_flops(skeleton) + sum(of[operation] for operation in prune(architecture))


@lru_cache
def mean_flops(skeleton: Skeleton) -> float:
    """Forward FLOPs for one image, averaged over the whole space."""
    return sum(flops(architecture, skeleton) for architecture in architectures()) / len(architectures())


def mixed_flops(skeleton: Skeleton) -> int:
    """Forward FLOPs for one image of a network in which every edge computes all operations."""
    return fixed_flops(skeleton) + len(EDGES) * sum(operation_flops(skeleton))


def parameters(architecture: Architecture, skeleton: Skeleton) -> int:
    """The number of trainable parameters of the pruned network."""
    width, _ = skeleton.stages[0]
    total = width * (9 * skeleton.input_channels + 2)
    for (before, _), (after, _) in zip(skeleton.stages, skeleton.stages[1:], strict=False):
        total += 9 * before * after + 9 * after * after + before * after + 4 * after
    width, _ = skeleton.stages[-1]
    total += 2 * width + width * skeleton.classes + skeleton.classes
    kernel = {CONV_1X1: 1, CONV_3X3: 9}
    for width, _ in skeleton.stages:
        for operation in prune(architecture):
            if operation in kernel:
                total += skeleton.cells * (kernel[operation] * width * width + 2 * width)
    return total
