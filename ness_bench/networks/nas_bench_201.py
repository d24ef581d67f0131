"""A stand-alone network of the NAS-Bench-201 skeleton, in PyTorch.

Images are float32 [examples, channels, height, width]; the network returns logits [examples, classes].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, NONE, POOL, SKIP, Architecture, prune

KERNEL = {CONV_1X1: 1, CONV_3X3: 3}


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch normalisation: the order of the published operations."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))


def average_pool_3x3(x: Tensor) -> Tensor:
    """3×3 average pool of stride 1; the padding does not count towards the average, as published."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Cell(nn.Module):
    """One cell of a pruned architecture; a dead cell returns zeros."""

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

    def _edge(self, edge: int, operation: int, x: Tensor) -> Tensor:
        if operation == SKIP:
            return x
        if operation == POOL:
            return average_pool_3x3(x)
        output: Tensor = self.convolutions[str(edge)](x)
        return output

    def forward(self, x: Tensor) -> Tensor:
        nodes: dict[int, Tensor] = {0: x}
        for edge, (operation, (source, target)) in enumerate(zip(self.architecture, EDGES, strict=True)):
            if operation != NONE:
                output = self._edge(edge, operation, nodes[source])
                nodes[target] = nodes[target] + output if target in nodes else output
        return nodes[3] if 3 in nodes else torch.zeros_like(x)


class ResidualReduction(nn.Module):
    """The residual block of stride 2 between stages; its shortcut is a 2×2 average pool and a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ReLUConvBN(inputs, outputs, 3, stride=2)
        self.refine = ReLUConvBN(outputs, outputs, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2, 2, ceil_mode=True)  # odd sizes round up, as the strided convolution does
        output: Tensor = self.refine(self.reduce(x)) + self.shortcut(pooled)
        return output


class Network(nn.Module):
    """Stem, stages of one repeated cell, classifier.

    Args:
        architecture: the cell, the same in every position.
        skeleton: widths, depth, input channels and classes.
    """

    def __init__(self, architecture: Architecture, skeleton: Skeleton) -> None:
        super().__init__()
        width, _ = skeleton.stages[0]
        self.stem = nn.Sequential(
            nn.Conv2d(skeleton.input_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        body: list[nn.Module] = []
        for stage, (width, _) in enumerate(skeleton.stages):
            if stage > 0:
                body.append(ResidualReduction(width // 2, width))
            body += [Cell(architecture, width) for _ in range(skeleton.cells)]
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, skeleton.classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.head(self.body(self.stem(images)))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits
