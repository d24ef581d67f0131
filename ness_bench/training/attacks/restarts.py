"""The worst case of several attempts: what random restarts are for."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ness_bench.training.attacks.attack import Perturbed


@dataclass(frozen=True)
class Attempt:
    """What one attempt at some images found.

    Attributes:
        images: [n, channels, height, width].
        losses: [n], the higher the closer to success.
        fooled: bool [n].
        queries: int64 [n].
    """

    images: Tensor
    losses: Tensor
    fooled: Tensor
    queries: Tensor


def worst_of(restarts: int, images: Tensor, labels: Tensor, attempt: Callable[[Tensor, Tensor], Attempt]) -> Perturbed:
    """For each image the attempt that fooled the victim, else the one of highest loss.

    An image that is fooled is not attempted again, so that more restarts can only fool more.
    """
    worst = images.clone()
    losses = torch.full((len(images),), -torch.inf, dtype=images.dtype, device=images.device)
    queries = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    rows = torch.arange(len(images), device=images.device)
    for _ in range(restarts):
        found = attempt(images[rows], labels[rows])
        queries[rows] += found.queries
        better = found.fooled | (found.losses > losses[rows])
        worst[rows[better]] = found.images[better]
        losses[rows[better]] = found.losses[better]
        rows = rows[~found.fooled]
        if not len(rows):
            break
    return Perturbed(worst, queries)
