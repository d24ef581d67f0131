"""What every supernet can do, whatever space its cells come from: all that training and scoring rely on.

An architecture picks one operation on every edge; a path is such a choice. Architecture parameters α have
the same shape, [edges, operations], in every space.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

Path = tuple[int, ...]
"""The index of an operation on every edge."""


class OneShotModel(nn.Module, ABC):
    """One set of weights that all architectures of a space share (Bender et al., ICML 2018).

    Batch normalisation uses the statistics of the batch, in training and in evaluation.

    Attributes:
        alpha_shape: (edges, operations) of the architecture parameters.
    """

    alpha_shape: tuple[int, int]

    @abstractmethod
    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits [examples, classes] of mixed operations.

        Args:
            images: [examples, channels, height, width].
            weights: of each operation on each edge, [edges, operations].
        """

    @abstractmethod
    def forward_path(self, images: Tensor, path: Path, weights: Tensor | None = None) -> Tensor:
        """Logits [examples, classes] of one path; what is not on it is not computed.

        Args:
            images: [examples, channels, height, width].
            path: the operation on each edge.
            weights: [edges]; where given, each operation's output is multiplied by its edge's weight.
        """

    @abstractmethod
    def random_path(self, generator: torch.Generator) -> Path:
        """A path drawn uniformly from the space."""
