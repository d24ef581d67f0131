"""The macro skeleton that DARTS's cells are placed in, and the FLOPs of the whole network.

Source: DARTS (Liu, Simonyan & Yang, ICLR 2019), whose search network is ``DartsSkeleton()`` and whose evaluation
network is ``DartsSkeleton(channels=36, layers=20)``, both on 32×32 images. Costs are counted as in
`ness_bench.networks.skeleton`: multiply-adds of convolutions, 2 operations an element for batch normalisation,
1 for ReLU and for the global average, 9 for a 3×3 pool. This file needs no PyTorch, so that prices do not.
"""

from dataclasses import dataclass
from functools import lru_cache

from ness_bench.errors import NessBenchError
from ness_bench.spaces.darts import (
    AVG_POOL,
    DIL_CONV_3X3,
    DIL_CONV_5X5,
    EDGES,
    ENTERING,
    MAX_POOL,
    OPERATIONS,
    SEP_CONV_3X3,
    SEP_CONV_5X5,
    SKIP,
    Architecture,
)

KERNEL = {SEP_CONV_3X3: 3, SEP_CONV_5X5: 5, DIL_CONV_3X3: 3, DIL_CONV_5X5: 5}
NODES = len(ENTERING)
STEM_MULTIPLIER = 3
"""The stem's width over the first cell's."""


@dataclass(frozen=True)
class Position:
    """Where a cell stands in the network.

    Attributes:
        inputs: channels of the output of the last cell but one, and of the last cell.
        channels: of each node; the cell's output has four times as many.
        size: height and width of the last cell's output, in pixels.
        reduction: whether this is a reduction cell, whose nodes have half that size.
        after_reduction: whether the last cell is one, so that its input has half the size of the other input.
    """

    inputs: tuple[int, int]
    channels: int
    size: int
    reduction: bool
    after_reduction: bool

    @property
    def node_size(self) -> int:
        """Height and width of the nodes, in pixels."""
        return self.size // 2 if self.reduction else self.size

    def stride(self, edge: int) -> int:
        """2 on the edges that leave a reduction cell's inputs, else 1."""
        return 2 if self.reduction and EDGES[edge][0] < 2 else 1


@dataclass(frozen=True)
class DartsSkeleton:
    """Stem, a row of cells of which two are reduction cells, global average, classifier.

    Attributes:
        channels: C, of the nodes before the first reduction; each of the two doubles them.
        layers: the number of cells; those at layers // 3 and 2 · layers // 3 are reduction cells.
        input_channels: 1 for grey images, 3 for colour.
        classes: the number of classes.
        image_size: height and width of the square input images, in pixels.

    Raises:
        NessBenchError: there are too few cells, or the images cannot be halved twice.
    """

    channels: int = 16
    layers: int = 8
    input_channels: int = 3
    classes: int = 10
    image_size: int = 32

    def __post_init__(self) -> None:
        if self.layers < 3:
            raise NessBenchError(f"{self.layers} layers were given; with its two reduction cells DARTS has at least 3")
        if self.image_size < 4 or self.image_size % 4:
            raise NessBenchError(
                f"images of {self.image_size} pixels were given; DARTS halves them twice, so give a multiple of 4"
            )

    @property
    def reductions(self) -> tuple[int, int]:
        """The layers of the two reduction cells."""
        return self.layers // 3, 2 * self.layers // 3

    @property
    def positions(self) -> tuple[Position, ...]:
        """Of each cell, from the stem to the classifier."""
        stem = STEM_MULTIPLIER * self.channels
        inputs, channels, size, after_reduction = (stem, stem), self.channels, self.image_size, False
        positions = []
        for layer in range(self.layers):
            reduction = layer in self.reductions
            channels *= 2 if reduction else 1
            position = Position(inputs, channels, size, reduction, after_reduction)
            positions.append(position)
            inputs, size, after_reduction = (inputs[1], NODES * channels), position.node_size, reduction
        return tuple(positions)

    @property
    def features(self) -> int:
        """Channels of the last cell's output, which the classifier reads."""
        return NODES * self.positions[-1].channels


def _relu_convolution_norm(inputs: int, size: int, outputs: int, output_size: int, multiply_adds: int) -> int:
    """FLOPs of ReLU, convolutions of so many multiply-adds an output element, and normalisation."""
    return inputs * size**2 + outputs * output_size**2 * (multiply_adds + 2)


def edge_flops(operation: int, channels: int, size: int, stride: int) -> int:
    """Forward FLOPs of one edge for one image.

    Args:
        size: of the edge's input, in pixels.
    """
    small = size // stride
    if operation in KERNEL:
        separable = KERNEL[operation] ** 2 + channels
        total = _relu_convolution_norm(channels, size, channels, small, separable)
        if operation in (SEP_CONV_3X3, SEP_CONV_5X5):  # applied twice
            total += _relu_convolution_norm(channels, small, channels, small, separable)
        return total
    if operation == SKIP:
        return _relu_convolution_norm(channels, size, channels, small, channels) if stride == 2 else 0
    return 9 * channels * small**2 if operation in (MAX_POOL, AVG_POOL) else 0


@lru_cache
def fixed_flops(skeleton: DartsSkeleton) -> int:
    """Forward FLOPs for one image of all that is not an edge: stem, what cells do to their inputs, classifier."""
    positions = skeleton.positions
    total = STEM_MULTIPLIER * skeleton.channels * skeleton.image_size**2 * (9 * skeleton.input_channels + 2)
    for position in positions:
        sizes = (position.size * (2 if position.after_reduction else 1), position.size)
        for inputs, size in zip(position.inputs, sizes, strict=True):
            total += _relu_convolution_norm(inputs, size, position.channels, position.size, inputs)
    return total + skeleton.features * (positions[-1].node_size ** 2 + skeleton.classes) + skeleton.classes


@lru_cache
def operation_flops(skeleton: DartsSkeleton) -> tuple[tuple[int, ...], ...]:
    """Forward FLOPs for one image of each operation on each edge in all cells, [28][8]."""
    return tuple(
        tuple(
            sum(
                edge_flops(
                    operation, position.channels, position.node_size * position.stride(edge), position.stride(edge)
                )
                for position in skeleton.positions
                if position.reduction == reduction
            )
            for operation in range(len(OPERATIONS))
        )
        for reduction in (False, True)
        for edge in range(len(EDGES))
    )


def flops(architecture: Architecture, skeleton: DartsSkeleton) -> int:
    """Forward FLOPs for one image of the stand-alone network, without its auxiliary head.

    A path of the supernet costs 2 operations an element more for its pools, which are normalised there.
    """
    return fixed_flops(skeleton) + sum(
        of[operation] for operation, of in zip(architecture, operation_flops(skeleton), strict=True)
    )


@lru_cache
def mean_flops(skeleton: DartsSkeleton) -> float:
    """Forward FLOPs for one image, averaged over the space: a node takes each of its k inputs with probability 2/k."""
    total = float(fixed_flops(skeleton))
    for edge, of in enumerate(operation_flops(skeleton)):
        _, target = EDGES[edge % len(EDGES)]
        total += 2 / target * sum(of) / (len(OPERATIONS) - 1)  # `none`, which is not drawn, costs nothing
    return total


def mixed_flops(skeleton: DartsSkeleton) -> int:
    """Forward FLOPs for one image of the supernet in which every edge computes all operations."""
    normalised_pools = 2 * sum(
        2 * len(EDGES) * position.channels * position.node_size**2 for position in skeleton.positions
    )
    return fixed_flops(skeleton) + normalised_pools + sum(map(sum, operation_flops(skeleton)))
