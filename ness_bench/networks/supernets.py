"""The supernet of a skeleton, whatever space its cells come from."""

import torch

from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.darts_supernet import DartsSupernet
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet

OneShotSkeleton = Skeleton | DartsSkeleton
"""What a supernet's cells are placed in."""

_SPACES: dict[str, type[OneShotSkeleton]] = {"nas-bench-201": Skeleton, "darts": DartsSkeleton}


def supernet_of(skeleton: OneShotSkeleton, generator: torch.Generator | None = None) -> OneShotModel:
    """A supernet with initial weights.

    Args:
        skeleton: what its cells are placed in; decides the space.
        generator: of the initial weights; None is PyTorch's global one.
    """
    return Supernet(skeleton, generator) if isinstance(skeleton, Skeleton) else DartsSupernet(skeleton, generator)


def skeleton_of(supernet: OneShotModel) -> OneShotSkeleton:
    """What a supernet's cells are placed in."""
    assert isinstance(supernet, Supernet | DartsSupernet), "there are no others"
    return supernet.skeleton


def space_of(skeleton: OneShotSkeleton) -> str:
    """The name of the space that the cells come from."""
    return next(name for name, of in _SPACES.items() if isinstance(skeleton, of))


def skeleton_class(space: str) -> type[OneShotSkeleton]:
    """The class of the skeletons of a space.

    Raises:
        KeyError: there is no such space.
    """
    return _SPACES[space]
