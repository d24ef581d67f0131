"""Cost models: what is computed is charged by its FLOPs, in training equivalents (TE).

1 TE = FLOPs of the average architecture × training images × epochs × 3, the factor 3 standing for one
forward and one backward pass (twice a forward pass). A forward pass alone is charged a third of a
training pass. The average runs over all 15,625 architectures. Source: ours.

- `measured` charges what the bank's or task's own trainings compute.
- `nas-bench-201` charges what they would at NAS-Bench-201's scale, where a network is trained for 200 epochs on
  50,000 images and supernets for the epochs that its authors' search code gives them. A small scale needs long
  supernet trainings: 80 epochs beside networks of 20 cost 4 TE there, and .625 TE at full scale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from ness_bench.errors import NessBenchError, nearest
from ness_bench.networks.skeleton import Skeleton, flops, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import Architecture

MEASURED, NAS_BENCH_201 = "measured", "nas-bench-201"
NAMES = (MEASURED, NAS_BENCH_201)


@dataclass(frozen=True)
class Work:
    """What training a kind of supernet computes.

    Attributes:
        passes: training passes for each training image and epoch.
        mixed: whether they compute all operations, or a single path.
        published_epochs: at NAS-Bench-201's scale.
        published_images: training images that `passes` counts at that scale.
    """

    passes: float
    mixed: bool
    published_epochs: int
    published_images: int = 50_000


WORK: Mapping[str, Work] = MappingProxyType(
    {
        "uniform": Work(1, False, 250, 25_000),  # NESS keeps the other half for validation
        "rsps": Work(0.5, False, 250),  # one half of the images
        "darts": Work(1, True, 50),  # weights on one half, α on the other
        "darts-v2": Work(2.5, True, 50),  # a step on weights, and on α four passes of half a batch each
        "gdas": Work(1, False, 250),  # paths drawn from α, priced as uniform ones
        "snas": Work(1, True, 150),
    }
)
"""By kind of supernet."""

_FULL = Skeleton(channels=16, cells=5, input_channels=3, classes=10, image_size=32)
_FULL_PASSES = 200 * 50_000
_FULL_VALIDATION = 25_000


@dataclass(frozen=True)
class CostModel:
    """Prices of one bank's or one task's trainings.

    Attributes:
        name: one of `NAMES`.
        skeleton: the network that architectures are placed in.
        passes: training images × epochs of the full recipe.
        images_an_example: images that a validation example stands for.
    """

    name: str
    skeleton: Skeleton
    passes: int
    images_an_example: float = 1.0

    @classmethod
    def of(cls, name: str, skeleton: Skeleton, passes: int, validation_examples: int) -> Self:
        """The cost model of that name.

        Args:
            name: one of `NAMES`.
            skeleton, passes: of what is really trained.
            validation_examples: that networks are evaluated on.

        Raises:
            NessBenchError: the name is unknown.
        """
        if name == MEASURED:
            return cls(name, skeleton, passes)
        if name == NAS_BENCH_201:
            return cls(name, _FULL, _FULL_PASSES, _FULL_VALIDATION / validation_examples)
        raise NessBenchError(f'unknown cost model "{name}"{nearest(name, NAMES)}; known: {", ".join(NAMES)}')

    def training(self, architecture: Architecture) -> float:
        """TE of training an architecture at the full recipe."""
        return flops(architecture, self.skeleton) / mean_flops(self.skeleton)

    def forward(self, architecture: Architecture, images: float) -> float:
        """TE of one forward pass over so many images."""
        return self.training(architecture) * images / (3 * self.passes)

    def evaluation(self, architecture: Architecture, examples: int) -> float:
        """TE of one forward pass over `examples` of the validation split."""
        return self.forward(architecture, examples * self.images_an_example)

    def supernet(self, kind: str, passes: int) -> float:
        """TE of training a supernet of a kind in `WORK`.

        Args:
            passes: training images × epochs. `nas-bench-201` charges the published number whatever is given.
        """
        work = WORK[kind]
        if self.name == NAS_BENCH_201:
            passes = work.published_epochs * work.published_images
        train = self.mixed_training if work.mixed else self.single_path_training
        return train(work.passes * passes)

    def single_path_training(self, passes: float) -> float:
        """TE of training a supernet on one uniformly drawn path a step, for `passes` image passes.

        The expected FLOPs of a uniformly drawn path are those of the average architecture.
        """
        return passes / self.passes

    def mixed_training(self, passes: float) -> float:
        """TE of training a supernet whose every edge computes all operations, for `passes` image passes."""
        return passes / self.passes * mixed_flops(self.skeleton) / mean_flops(self.skeleton)

    def mixed_gradient(self, examples: int) -> float:
        """TE of one forward and one backward pass of mixed operations over `examples` validation images."""
        return self.mixed_training(examples * self.images_an_example)
