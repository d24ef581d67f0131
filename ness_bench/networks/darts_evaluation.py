"""A stand-alone network of DARTS's skeleton, in PyTorch: what a genotype is evaluated with.

Source: DARTS (Liu, Simonyan & Yang, ICLR 2019), CIFAR. Images are float32 [examples, channels, height, width].
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_operations import align, initialise, make_operation
from ness_bench.networks.darts_skeleton import NODES, STEM_MULTIPLIER, DartsSkeleton, Position
from ness_bench.networks.nas_bench_201 import Normalisation
from ness_bench.spaces.darts import EDGES, ENTERING, NONE, Architecture, cell_of, require_architecture

EVALUATION_SKELETON = DartsSkeleton(channels=36, layers=20)
"""The published one."""


class CellBody(nn.Module):
    """What every cell has: two inputs, which it aligns, and four nodes, which it concatenates."""

    def __init__(self, position: Position, normalisation: Normalisation) -> None:
        super().__init__()
        before, last = position.inputs
        self.align_before = align(before, position.channels, position.after_reduction, normalisation)
        self.align_last = align(last, position.channels, False, normalisation)

    def run(self, before: Tensor, last: Tensor, node: Callable[[Sequence[int], Sequence[Tensor]], Tensor]) -> Tensor:
        """The cell's output.

        Args:
            before: output of the last cell but one.
            last: output of the last cell.
            node: maps the edges that enter a node, and all states before it, to the node.
        """
        states = [self.align_before(before), self.align_last(last)]
        for edges in ENTERING:
            states.append(node(edges, states))
        return torch.cat(states[2:], 1)


class Cell(CellBody):
    """One cell of an architecture."""

    def __init__(self, architecture: Architecture, position: Position) -> None:
        super().__init__(position, nn.BatchNorm2d)
        operations = cell_of(architecture, reduction=position.reduction)
        self.operations = nn.ModuleDict(
            {
                str(edge): make_operation(operation, position.channels, position.stride(edge), nn.BatchNorm2d)
                for edge, operation in enumerate(operations)
                if operation != NONE
            }
        )

    def forward(self, before: Tensor, last: Tensor, paths: Tensor | None = None) -> Tensor:
        """The cell's output.

        Args:
            before, last: outputs of the two cells before.
            paths: drop-path, [edges, examples]: what each edge's output is multiplied by, identities excepted.
        """

        def run_edge(edge: int, x: Tensor) -> Tensor:
            operation = self.operations[str(edge)]
            output: Tensor = operation(x)
            if paths is None or isinstance(operation, nn.Identity):
                return output
            return output * paths[edge, :, None, None, None]

        def node(edges: Sequence[int], states: Sequence[Tensor]) -> Tensor:
            first, second = (run_edge(edge, states[EDGES[edge][0]]) for edge in edges if str(edge) in self.operations)
            return first + second

        return self.run(before, last, node)


class AuxiliaryHead(nn.Sequential):
    """A second classifier, which reads maps of 8×8 to 10×10 pixels."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3),
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


class DartsBody(nn.Module):
    """The modules that every network of the skeleton has: stem, cells, classifier.

    Args:
        skeleton: widths, depth, input channels and classes.
        cell: makes the cell of a position.
        normalisation: of the stem.
    """

    def __init__(
        self, skeleton: DartsSkeleton, cell: Callable[[Position], nn.Module], normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.skeleton = skeleton
        width = STEM_MULTIPLIER * skeleton.channels
        self.stem = nn.Sequential(
            nn.Conv2d(skeleton.input_channels, width, 3, padding=1, bias=False), normalisation(width)
        )
        self.cells = nn.ModuleList(cell(position) for position in skeleton.positions)
        self.classifier = nn.Linear(skeleton.features, skeleton.classes)

    def classify(self, x: Tensor) -> Tensor:
        """Logits [examples, classes] of the last cell's output."""
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class DartsNetwork(DartsBody):
    """The network of one architecture, with affine batch normalisation and running statistics.

    Args:
        architecture: its two cells.
        skeleton: what the cells are placed in.
        auxiliary: whether a second classifier follows the second reduction cell, in training only.
        generator: of the initial weights, uniform on ±1/√fan_in; None is PyTorch's global one.

    Raises:
        NessBenchError: a node has not exactly two inputs, or the auxiliary head cannot take images of this size.
    """

    def __init__(
        self,
        architecture: Architecture,
        skeleton: DartsSkeleton = EVALUATION_SKELETON,
        auxiliary: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        require_architecture(architecture)
        super().__init__(skeleton, partial(Cell, architecture), nn.BatchNorm2d)
        self.auxiliary: AuxiliaryHead | None = None
        if auxiliary:
            reduced = skeleton.positions[skeleton.reductions[1]]
            if not 8 <= reduced.node_size <= 10:
                raise NessBenchError(
                    f"images of {skeleton.image_size} pixels were given, but the auxiliary head takes 32, 36 or 40 "
                    "only; resize them, or train without it (an auxiliary weight of 0)"
                )
            self.auxiliary = AuxiliaryHead(NODES * reduced.channels, skeleton.classes)
        initialise(self, generator)

    def forward(self, images: Tensor, paths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits [examples, classes], and those of the auxiliary head, None without it or in evaluation.

        Args:
            images: [examples, channels, height, width].
            paths: drop-path, as `drop_paths` draws it: [layers, edges, examples].
        """
        before = last = self.stem(images)
        auxiliary = None
        for layer, cell in enumerate(self.cells):
            before, last = last, cell(before, last, None if paths is None else paths[layer])
            if self.training and self.auxiliary is not None and layer == self.skeleton.reductions[1]:
                auxiliary = self.auxiliary(last)
        return self.classify(last), auxiliary


def drop_paths(skeleton: DartsSkeleton, examples: int, probability: float, generator: torch.Generator) -> Tensor:
    """Draw what the output of every edge is multiplied by, float32 [layers, edges, examples].

    That is 0 with the given probability, for an example as a whole (Larsson et al., ICLR 2017; scaled as in the
    authors' code), else what keeps the expectation.

    Args:
        probability: at least 0 and less than 1.
        generator: on whose device the result lies.
    """
    kept = torch.rand(skeleton.layers, len(EDGES), examples, generator=generator, device=generator.device)
    return (kept >= probability) / (1 - probability)
