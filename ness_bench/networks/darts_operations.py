"""The operations of DARTS's cells as PyTorch modules (Liu, Simonyan & Yang, ICLR 2019).

All keep the number of channels; at a stride of 2 they halve the image, whose size must be even. Pools are without
the normalisation that follows them in the search network.
"""

import torch
from torch import Tensor, nn

from ness_bench.networks.darts_skeleton import KERNEL
from ness_bench.networks.nas_bench_201 import Normalisation, ReLUConvBN
from ness_bench.spaces.darts import AVG_POOL, DIL_CONV_3X3, DIL_CONV_5X5, MAX_POOL, NONE, SKIP


class SeparableConvolution(nn.Sequential):
    """ReLU, a convolution of each channel alone, a 1×1 convolution, normalisation."""

    def __init__(self, channels: int, kernel: int, stride: int, dilation: int, normalisation: Normalisation) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            normalisation(channels),
        )


class FactorizedReduce(nn.Module):
    """ReLU, two 1×1 convolutions of stride 2, one of which sees the pixels that the other skips, normalisation."""

    def __init__(self, inputs: int, outputs: int, normalisation: Normalisation) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, 2, bias=False)
        self.normalise = normalisation(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x)
        reduced: Tensor = self.normalise(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))
        return reduced


class Zero(nn.Module):
    """Zeros of the shape that any other operation would return."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


def make_operation(operation: int, channels: int, stride: int, normalisation: Normalisation) -> nn.Module:
    """The module of an operation on an edge."""
    if operation == NONE:
        return Zero(stride)
    if operation == MAX_POOL:
        return nn.MaxPool2d(3, stride, 1)
    if operation == AVG_POOL:
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if operation == SKIP:
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, normalisation)
    kernel = KERNEL[operation]
    if operation in (DIL_CONV_3X3, DIL_CONV_5X5):
        return SeparableConvolution(channels, kernel, stride, 2, normalisation)
    return nn.Sequential(
        SeparableConvolution(channels, kernel, stride, 1, normalisation),
        SeparableConvolution(channels, kernel, 1, 1, normalisation),
    )


def align(inputs: int, channels: int, halve: bool, normalisation: Normalisation) -> nn.Module:
    """Brings a cell's input to the width of its nodes, and to half its size where the other input has that."""
    if halve:
        return FactorizedReduce(inputs, channels, normalisation)
    return ReLUConvBN(inputs, channels, 1, normalisation=normalisation)


def initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the parameters of convolutions and linear layers anew, uniform on ±1/√fan_in, PyTorch's own range.

    Args:
        generator: on the parameters' device; None is PyTorch's global one.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator)
