"""A supernet: one set of weights that all architectures of the NAS-Bench-201 space share.

Every edge of every cell holds both convolutions. A pass computes either a single path, the operations
of one architecture, or the mixed operations of DARTS (Liu et al., ICLR 2019): on every edge the weighted
sum of all operations. Batch normalisation has no parameters and always uses the statistics of the batch,
since running averages would mix those of different architectures (the convention of the NAS-Bench-201
authors' one-shot searches; theirs keeps the parameters outside of the cells).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.networks.nas_bench_201 import KERNEL, SkeletonNetwork, average_pool_3x3, run_cell
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import EDGES, OPERATIONS, POOL, SKIP, Architecture, prune

LEAVING = tuple(tuple(edge for edge, (start, _) in enumerate(EDGES) if start == source) for source in range(3))
"""The edges that leave each node."""

_BatchNorm = partial(nn.BatchNorm2d, affine=False, track_running_stats=False)


class MixedCell(nn.Module):
    """A cell with both convolutions on every edge.

    Args:
        channels: of its input, its nodes and its output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernels = nn.ParameterDict(
            {
                self._name(edge, operation): torch.empty(channels, channels, size, size)
                for edge in range(len(EDGES))
                for operation, size in KERNEL.items()
            }
        )

    @staticmethod
    def _name(edge: int, operation: int) -> str:
        return f"{edge}_{OPERATIONS[operation]}"

    def _convolve(self, edges: tuple[int, ...], operation: int, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """ReLU, the convolutions of several edges that read the same `x`, normalisation.

        Args:
            scale: of the normalised outputs [edges × channels]; None stands for 1.

        Returns:
            [examples, edges × channels, height, width].
        """
        kernels = torch.cat([self.kernels[self._name(edge, operation)] for edge in edges])
        convolved = F.conv2d(F.relu(x), kernels, padding=KERNEL[operation] // 2)
        return F.batch_norm(convolved, None, None, scale, training=True)

    def forward_path(self, x: Tensor, path: Architecture, weights: Tensor | None = None) -> Tensor:
        """The output of the cell of a pruned architecture, each operation's output scaled by its edge's weight."""
        return run_cell(path, x, lambda edge, operation, x: self._convolve((edge,), operation, x), weights)

    def _mix(self, x: Tensor, edges: tuple[int, ...], weights: Tensor) -> list[Tensor]:
        """The mixed operations of the edges that leave the node `x`, one output an edge.

        One convolution does for all of these edges, and the weight of a convolution is the scale of its
        normalisation: on small images the number of calls decides the time.
        """
        # [operations, edges × channels], so that a row is contiguous: PyTorch 2.13 computes a wrong gradient
        # for channels-last images on a CPU when the scale is not.
        scales = weights[list(edges)].T.repeat_interleave(x.shape[1], 1)
        small, large = (self._convolve(edges, operation, x, scales[operation]) for operation in KERNEL)
        pooled = average_pool_3x3(x)
        return [
            output + weights[edge, SKIP] * x + weights[edge, POOL] * pooled
            for edge, output in zip(edges, (small + large).chunk(len(edges), 1), strict=True)
        ]

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """The output of the cell of mixed operations, weighted by `weights` [edges, operations]."""
        nodes = {0: x}
        for source, edges in enumerate(LEAVING):
            for edge, output in zip(edges, self._mix(nodes[source], edges, weights), strict=True):
                _, target = EDGES[edge]
                nodes[target] = nodes[target] + output if target in nodes else output
        return nodes[3]


class Supernet(SkeletonNetwork, OneShotModel):
    """The network of a skeleton with a mixed cell in every position.

    Its passes are the same in training and in evaluation: predictions depend on the whole batch.

    Args:
        skeleton: what the cells are placed in.
        generator: of the initial weights, uniform on ±1/√fan_in; None is PyTorch's global one.
    """

    def __init__(self, skeleton: Skeleton, generator: torch.Generator | None = None) -> None:
        super().__init__(skeleton, MixedCell, _BatchNorm)
        self.skeleton = skeleton
        self.alpha_shape = (len(EDGES), len(OPERATIONS))
        for parameter in self.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else self.classifier.in_features
            nn.init.uniform_(parameter, -(fan_in**-0.5), fan_in**-0.5, generator)

    def _run(self, images: Tensor, pass_cell: Callable[[MixedCell, Tensor], Tensor]) -> Tensor:
        x = self.stem(images)
        for block in self.body:
            x = pass_cell(block, x) if isinstance(block, MixedCell) else block(x)
        return self.classify(x)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits [examples, classes] of mixed operations.

        Args:
            images: [examples, channels, height, width].
            weights: of each operation on each edge [edges, operations], the same in every cell; that of
                `none` has no effect.
        """
        return self._run(images, lambda cell, x: cell(x, weights))

    def forward_path(self, images: Tensor, path: Architecture, weights: Tensor | None = None) -> Tensor:
        """Logits [examples, classes] of one architecture; only operations on its pruned path are computed.

        Args:
            images: [examples, channels, height, width].
            path: the architecture.
            weights: [edges]; where given, each operation's output is multiplied by its edge's weight.
        """
        pruned = prune(path)
        return self._run(images, lambda cell, x: cell.forward_path(x, pruned, weights))

    def random_path(self, generator: torch.Generator) -> Architecture:
        return tuple(torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist())
