"""Many stand-alone networks of one skeleton as a single PyTorch module, made for GPUs.

One small network leaves a GPU idle: its kernels are over before the next is launched. Here every kernel
serves many networks, the members of the stack. Their architectures may differ: on each edge of a cell the
members are grouped by the operation they have there, so that nothing is computed, and no parameter held,
that a member does not have. Members never mix: each is the `Network` of its architecture, up to rounding.

Maps are [members, channels, height, width, examples]. With the examples last, the columns of a convolution
are copied in long runs, and its product with the kernels, a batched matrix product over the members, is
laid out as the next layer wants it. A grouped convolution would do the same sums, but is slow for a few
channels a group, and on a GPU rounds to TF32 by default. Every sum has a fixed order, the gradients' too:
no call adds two terms to the same place by atomic operations.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.networks.nas_bench_201 import KERNEL, average_pool_3x3
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, NONE, POOL, SKIP, Architecture, prune

States = Sequence[Mapping[str, Tensor]]
"""The parameters of each member, by their names in `Network`."""


def _stack(states: States, name: str) -> nn.Parameter:
    return nn.Parameter(torch.stack([state[name] for state in states]))


def _pool(average: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`average`, which takes images [., channels, height, width], of all maps: the examples stand in as channels."""
    pooled = average(x.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return pooled.reshape(x.shape[:2] + pooled.shape[1:])


class Convolution(nn.Module):
    """A padded convolution without bias; its weight is [members, outputs, inputs, kernel, kernel]."""

    def __init__(self, states: States, name: str, stride: int = 1) -> None:
        super().__init__()
        self.weight = _stack(states, f"{name}.weight")
        self.stride = stride

    def _columns(self, x: Tensor) -> Tensor:
        """What each output pixel sees, [members, inputs × kernel², output height, output width, examples]."""
        members, inputs, height, width, examples = x.shape
        kernel = self.weight.shape[-1]
        if kernel == 1:
            return x
        # Width and examples are one axis here, on which the next pixel is `examples` further.
        columns = F.unfold(
            x.reshape(1, members * inputs, height, width * examples),
            kernel,
            dilation=(1, examples),
            padding=(kernel // 2, kernel // 2 * examples),
            stride=(self.stride, 1),
        )
        return columns.view(members, inputs * kernel**2, -1, width, examples)[..., :: self.stride, :]

    def forward(self, x: Tensor) -> Tensor:
        columns = self._columns(x)
        output = torch.bmm(self.weight.flatten(2), columns.flatten(2))
        return output.view(output.shape[:2] + columns.shape[2:])


class BatchNorm(nn.Module):
    """Batch normalisation with statistics, weight and bias [members, channels]."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, states: States, name: str) -> None:
        super().__init__()
        self.weight = _stack(states, f"{name}.weight")
        self.bias = _stack(states, f"{name}.bias")
        self.register_buffer("running_mean", torch.zeros_like(self.weight))
        self.register_buffer("running_var", torch.ones_like(self.weight))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.reshape(1, self.weight.numel(), -1)
        statistics = self.running_mean.view(-1), self.running_var.view(-1)
        normalised = F.batch_norm(channels, *statistics, self.weight.view(-1), self.bias.view(-1), self.training)
        return normalised.view(x.shape)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution, batch normalisation."""

    def __init__(self, states: States, name: str, stride: int = 1) -> None:
        super().__init__(nn.ReLU(), Convolution(states, f"{name}.1", stride), BatchNorm(states, f"{name}.2"))


class AveragePool(nn.Module):
    """3×3 average pool of stride 1."""

    def forward(self, x: Tensor) -> Tensor:
        return _pool(average_pool_3x3, x)


class Edge(nn.Module):
    """One edge of the cells in one position. `members` are those with an operation on it, grouped by operation."""

    members: Tensor

    def __init__(self, edge: int, architectures: Sequence[Architecture], states: States, name: str) -> None:
        super().__init__()
        self.source, self.target = EDGES[edge]
        self.operations = nn.ModuleList()
        self.sizes: list[int] = []  # of the groups
        members: list[int] = []
        for operation in (SKIP, CONV_1X1, CONV_3X3, POOL):
            group = [member for member, architecture in enumerate(architectures) if architecture[edge] == operation]
            if group:
                self.operations.append(self._operation(operation, [states[member] for member in group], name))
                self.sizes.append(len(group))
                members += group
        self.register_buffer("members", torch.tensor(members))

    @staticmethod
    def _operation(operation: int, states: States, name: str) -> nn.Module:
        if operation in KERNEL:
            return ReLUConvBN(states, name)
        return nn.Identity() if operation == SKIP else AveragePool()

    def forward(self, nodes: list[Tensor]) -> None:
        """Add the outputs to the target node, in place; every node holds all members."""
        groups = torch.split(nodes[self.source].index_select(0, self.members), self.sizes)
        outputs = [operation(group) for operation, group in zip(self.operations, groups, strict=True)]
        nodes[self.target].index_add_(0, self.members, torch.cat(outputs))


class Cell(nn.Module):
    """The cells in one position. Architectures are pruned; a dead cell returns zeros."""

    def __init__(self, architectures: Sequence[Architecture], states: States, name: str) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            Edge(edge, architectures, states, f"{name}.convolutions.{edge}")
            for edge, operations in enumerate(zip(*architectures, strict=True))
            if set(operations) != {NONE}
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x, *(torch.zeros_like(x) for _ in range(3))]
        for edge in self.edges:
            edge(nodes)
        return nodes[3]


class ResidualReduction(nn.Module):
    """The residual blocks of stride 2 in one position."""

    def __init__(self, states: States, name: str) -> None:
        super().__init__()
        self.reduce = ReLUConvBN(states, f"{name}.reduce", stride=2)
        self.refine = ReLUConvBN(states, f"{name}.refine")
        self.shortcut = Convolution(states, f"{name}.shortcut")

    def forward(self, x: Tensor) -> Tensor:
        pooled = _pool(lambda maps: F.avg_pool2d(maps, 2, 2, ceil_mode=True), x)
        output: Tensor = self.refine(self.reduce(x)) + self.shortcut(pooled)
        return output


class StackedNetwork(nn.Module):
    """A `Network` of each member's architecture. Every parameter and statistic has a leading axis of members.

    Args:
        architectures: of the members.
        states: their parameters.
        skeleton: what the cells are placed in, the same for all.
    """

    def __init__(self, architectures: Sequence[Architecture], states: States, skeleton: Skeleton) -> None:
        super().__init__()
        pruned = [prune(architecture) for architecture in architectures]
        self.stem = nn.Sequential(Convolution(states, "stem.0"), BatchNorm(states, "stem.1"))
        self.body = nn.Sequential()
        for stage in range(len(skeleton.stages)):
            if stage > 0:
                self.body.append(ResidualReduction(states, f"body.{len(self.body)}"))
            for _ in range(skeleton.cells):
                self.body.append(Cell(pruned, states, f"body.{len(self.body)}"))
        self.head = nn.Sequential(BatchNorm(states, "head.0"), nn.ReLU())
        self.weight = _stack(states, "classifier.weight")
        self.bias = _stack(states, "classifier.bias")

    def forward(self, images: Tensor) -> Tensor:
        """Logits [members, examples, classes] of images [members, examples, channels, height, width]."""
        x = self.body(self.stem(images.permute(0, 2, 3, 4, 1)))
        features = self.head(x).mean((2, 3))  # [members, channels, examples]
        return torch.baddbmm(self.bias[:, None], features.mT, self.weight.mT)
