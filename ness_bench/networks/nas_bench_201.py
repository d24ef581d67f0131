"""A stand-alone network of the NAS-Bench-201 skeleton, in PyTorch.

Images are float32 [examples, channels, height, width]; the network returns logits [examples, classes].
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, NONE, POOL, SKIP, Architecture, prune

KERNEL = {CONV_1X1: 1, CONV_3X3: 3}

Normalisation = Callable[[int], nn.Module]
"""Makes the normalisation of a number of channels."""


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation: the order of the published operations."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, normalisation: Normalisation = nn.BatchNorm2d
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, normalisation(outputs))


def average_pool_3x3(x: Tensor) -> Tensor:
    """3×3 average pool of stride 1; the padding does not count towards the average, as published."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def run_cell(
    architecture: Architecture,
    x: Tensor,
    convolve: Callable[[int, int, Tensor], Tensor],
    weights: Tensor | None = None,
) -> Tensor:
    """The output of a cell of a pruned architecture; a dead cell returns zeros.

    Args:
        convolve: maps an edge, its operation and its input to the output of its convolution.
        weights: [edges]; where given, the output of each edge is multiplied by its weight.
    """
    nodes: dict[int, Tensor] = {0: x}
    for edge, (operation, (source, target)) in enumerate(zip(architecture, EDGES, strict=True)):
        if operation == NONE:
            continue
        if operation == SKIP:
            output = nodes[source]
        elif operation == POOL:
            output = average_pool_3x3(nodes[source])
        else:
            output = convolve(edge, operation, nodes[source])
        if weights is not None:
            output = output * weights[edge]
        nodes[target] = nodes[target] + output if target in nodes else output
    return nodes[3] if 3 in nodes else torch.zeros_like(x)


class Cell(nn.Module):
    """One cell of an architecture, which is pruned."""

    def __init__(self, architecture: Architecture, channels: int) -> None:
        super().__init__()
        self.architecture = prune(architecture)
        self.convolutions = nn.ModuleDict(
            {
                str(edge): ReLUConvBN(channels, channels, KERNEL[operation])
                for edge, operation in enumerate(self.architecture)
                if operation in KERNEL
            }
        )

    def _convolve(self, edge: int, operation: int, x: Tensor) -> Tensor:
        output: Tensor = self.convolutions[str(edge)](x)
        return output

    def forward(self, x: Tensor) -> Tensor:
        return run_cell(self.architecture, x, self._convolve)


class ResidualReduction(nn.Module):
    """The residual block of stride 2 between stages; its shortcut is a 2×2 average pool and a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int, normalisation: Normalisation = nn.BatchNorm2d) -> None:
        super().__init__()
        self.reduce = ReLUConvBN(inputs, outputs, 3, 2, normalisation)
        self.refine = ReLUConvBN(outputs, outputs, 3, 1, normalisation)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2, 2, ceil_mode=True)  # odd sizes round up, as the strided convolution does
        output: Tensor = self.refine(self.reduce(x)) + self.shortcut(pooled)
        return output


class SkeletonNetwork(nn.Module):
    """The modules that every network of a skeleton has: stem, stages of one repeated cell, classifier.

    Args:
        skeleton: widths, depth, input channels and classes.
        cell: makes a cell of a number of channels.
        normalisation: of the stem, the residual blocks and the classifier's input.
    """

    def __init__(
        self, skeleton: Skeleton, cell: Callable[[int], nn.Module], normalisation: Normalisation = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        width, _ = skeleton.stages[0]
        self.stem = nn.Sequential(
            nn.Conv2d(skeleton.input_channels, width, 3, padding=1, bias=False), normalisation(width)
        )
        body: list[nn.Module] = []
        for stage, (width, _) in enumerate(skeleton.stages):
            if stage > 0:
                body.append(ResidualReduction(width // 2, width, normalisation))
            body += [cell(width) for _ in range(skeleton.cells)]
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(normalisation(width), nn.ReLU())
        self.classifier = nn.Linear(width, skeleton.classes)

    def classify(self, x: Tensor) -> Tensor:
        """Logits [examples, classes] of what the body returns."""
        logits: Tensor = self.classifier(self.head(x).mean((2, 3)))
        return logits


class Network(SkeletonNetwork):
    """A network of one architecture.

    Args:
        architecture: the cell, the same in every position.
        skeleton: what the cells are placed in.
    """

    def __init__(self, architecture: Architecture, skeleton: Skeleton) -> None:
        super().__init__(skeleton, partial(Cell, architecture))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.body(self.stem(images)))
