"""A supernet of DARTS's CIFAR cell space: one set of weights that all of its architectures share.

Every edge of every cell holds all operations. A pass computes either a single path, or the mixed operations of
DARTS (Liu, Simonyan & Yang, ICLR 2019): on every edge the weighted sum of all operations. As in the authors' search
network, pools are normalised and normalisation has no parameters; here it has none in the stem either, and always
uses the statistics of the batch, as in `ness_bench.networks.supernet`.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ness_bench.networks.darts_evaluation import CellBody, DartsBody
from ness_bench.networks.darts_operations import initialise, make_operation
from ness_bench.networks.darts_skeleton import DartsSkeleton, Position
from ness_bench.networks.one_shot_model import OneShotModel, Path
from ness_bench.spaces.darts import (
    AVG_POOL,
    CELLS,
    EDGES,
    MAX_POOL,
    NONE,
    OPERATIONS,
    cell_of,
    random_architecture,
)

_BatchNorm = partial(nn.BatchNorm2d, affine=False, track_running_stats=False)


def _make_operation(operation: int, channels: int, stride: int) -> nn.Module:
    module = make_operation(operation, channels, stride, _BatchNorm)
    return nn.Sequential(module, _BatchNorm(channels)) if operation in (MAX_POOL, AVG_POOL) else module


class MixedCell(CellBody):
    """A cell with all operations on every edge."""

    def __init__(self, position: Position) -> None:
        super().__init__(position, _BatchNorm)
        self.reduction = position.reduction
        self.operations = nn.ModuleList(
            nn.ModuleList(
                _make_operation(operation, position.channels, position.stride(edge))
                for operation in range(len(OPERATIONS))
            )
            for edge in range(len(EDGES))
        )

    def _run_edge(self, edge: int, operation: int, states: Sequence[Tensor]) -> Tensor:
        output: Tensor = self.operations[edge][operation](states[EDGES[edge][0]])  # type: ignore[index]
        return output

    def forward(self, before: Tensor, last: Tensor, weights: Tensor) -> Tensor:
        """The output of mixed operations, weighted by `weights` [edges, operations]."""

        def node(edges: Sequence[int], states: Sequence[Tensor]) -> Tensor:
            outputs = (
                weights[edge, operation] * self._run_edge(edge, operation, states)
                for edge in edges
                for operation in range(1, len(OPERATIONS))
            )
            return sum(outputs, start=next(outputs))

        return self.run(before, last, node)

    def forward_path(self, before: Tensor, last: Tensor, path: Path, weights: Tensor | None = None) -> Tensor:
        """The output of one operation an edge, scaled by its edge's weight; `none` is not computed."""

        def run_edge(edge: int, states: Sequence[Tensor]) -> Tensor:
            output = self._run_edge(edge, path[edge], states)
            return output if weights is None else output * weights[edge]

        def node(edges: Sequence[int], states: Sequence[Tensor]) -> Tensor:
            active = [edge for edge in edges if path[edge] != NONE]
            if not active:
                return self._run_edge(edges[0], NONE, states)
            outputs = (run_edge(edge, states) for edge in active)
            return sum(outputs, start=next(outputs))

        return self.run(before, last, node)


class DartsSupernet(DartsBody, OneShotModel):
    """The network of a skeleton with a mixed cell in every position.

    Its passes are the same in training and in evaluation: predictions depend on the whole batch.

    Args:
        skeleton: what the cells are placed in.
        generator: of the initial weights, uniform on ±1/√fan_in; None is PyTorch's global one.
    """

    def __init__(self, skeleton: DartsSkeleton, generator: torch.Generator | None = None) -> None:
        super().__init__(skeleton, MixedCell, _BatchNorm)
        self.alpha_shape = (len(CELLS) * len(EDGES), len(OPERATIONS))
        initialise(self, generator)

    def _run(self, images: Tensor, pass_cell: Callable[[MixedCell, Tensor, Tensor], Tensor]) -> Tensor:
        before = last = self.stem(images)
        for cell in self.cells:
            assert isinstance(cell, MixedCell)
            before, last = last, pass_cell(cell, before, last)
        return self.classify(last)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits [examples, classes] of mixed operations.

        Args:
            images: [examples, channels, height, width].
            weights: of each operation on each edge, [28, 8]: those of the normal cells, then of the reduction
                cells; that of `none` has no effect.
        """
        of_cell = dict(zip((False, True), torch.split(weights, len(EDGES)), strict=True))
        return self._run(images, lambda cell, before, last: cell(before, last, of_cell[cell.reduction]))

    def forward_path(self, images: Tensor, path: Path, weights: Tensor | None = None) -> Tensor:
        """Logits [examples, classes] of one path; what is not on it is not computed.

        Args:
            images: [examples, channels, height, width].
            path: the operation on each edge [28], of an architecture or any other choice; `none` adds nothing, and
                a node without inputs is zero.
            weights: [28]; where given, each operation's output is multiplied by its edge's weight.
        """
        scales = (None, None) if weights is None else torch.split(weights, len(EDGES))
        return self._run(
            images,
            lambda cell, before, last: cell.forward_path(
                before, last, cell_of(path, reduction=cell.reduction), scales[cell.reduction]
            ),
        )

    def random_path(self, generator: torch.Generator) -> Path:
        """An architecture drawn uniformly from the space."""
        seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
        return random_architecture(np.random.default_rng(int(seed)))
