"""The cost model `flops`: everything is charged by the FLOPs it computes, in training equivalents (TE).

1 TE = FLOPs of the average architecture × training images × epochs × 3, the factor 3 standing for one
forward and one backward pass (twice a forward pass). A forward pass alone is charged a third of a
training pass. The average runs over all 15,625 architectures. Source: ours.
"""

from dataclasses import dataclass

from ness_bench.networks.skeleton import Skeleton, flops, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import Architecture

NAME = "flops"


@dataclass(frozen=True)
class CostModel:
    """Prices of one bank's or one task's trainings.

    Attributes:
        skeleton: the network that architectures are placed in.
        passes: training images × epochs of the full recipe.
    """

    skeleton: Skeleton
    passes: int

    def training(self, architecture: Architecture) -> float:
        """TE of training an architecture at the full recipe."""
        return flops(architecture, self.skeleton) / mean_flops(self.skeleton)

    def evaluation(self, architecture: Architecture, examples: int) -> float:
        """TE of one forward pass over `examples` images."""
        return self.training(architecture) * examples / (3 * self.passes)

    def supernet(self, kind: str, passes: int) -> float:
        """TE of training a supernet, `uniform` or `darts`, for `passes` image passes."""
        return self.single_path_training(passes) if kind == "uniform" else self.mixed_training(passes)

    def single_path_training(self, passes: int) -> float:
        """TE of training a supernet on one uniformly drawn path a step, for `passes` image passes.

        The expected FLOPs of a uniformly drawn path are those of the average architecture.
        """
        return passes / self.passes

    def mixed_training(self, passes: int) -> float:
        """TE of training a supernet whose every edge computes all operations, for `passes` image passes."""
        return passes / self.passes * mixed_flops(self.skeleton) / mean_flops(self.skeleton)
