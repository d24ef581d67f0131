"""Square attack (Andriushchenko et al.: Square Attack: a query-efficient black-box adversarial attack via random
search, ECCV 2020, Algorithms 1 and 2; L∞): paint random squares, keep those that lower the margin."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.attack import Perturbed, require_input, require_positive
from ness_bench.training.attacks.ball import Norm, project, uniform
from ness_bench.training.attacks.restarts import Attempt, worst_of
from ness_bench.training.attacks.victim import Victim

HALVED_AFTER = (10, 50, 200, 500, 1_000, 2_000, 4_000, 6_000, 8_000)
"""Iterations of 10,000 after which the area of the squares is halved (section 3 of the paper)."""


@dataclass(frozen=True)
class Square:
    """Black box: it sees the victim's scores only. The loss is the margin, the label's logit less the highest other.

    Attributes:
        queries: of each attempt at an image, at most; an image that is fooled is queried no more.
        area: p, the share of the image that the first squares cover; the default is AutoAttack's.
        restarts: attempts at an image; the worst counts.

    Raises:
        NessBenchError: a constant is out of its range.
    """

    queries: int = 5_000
    area: float = 0.8
    restarts: int = 1
    norm: ClassVar[Norm] = "linf"

    def __post_init__(self) -> None:
        require_positive(queries=self.queries, restarts=self.restarts)
        if not 0 < self.area <= 1:
            raise NessBenchError(f"area is {self.area:g}; give a share of the image, above 0 and at most 1")

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        require_input(victim, images, labels, epsilon, self.norm)
        return worst_of(self.restarts, images, labels, partial(self._attempt, victim, epsilon, generator))

    @torch.no_grad()
    def _attempt(
        self, victim: Victim, epsilon: float, generator: torch.Generator, images: Tensor, labels: Tensor
    ) -> Attempt:
        n, channels, _, width = images.shape
        stripes = epsilon * _signs((n, channels, 1, width), images, generator)
        found = project(images + stripes, images, epsilon, self.norm)
        margins, fooled = _margins(victim, found, labels)
        queries = torch.ones_like(labels)
        for iteration in range(self.queries - 1):
            # Drawn for all images, so that what one of them meets does not depend on the others.
            squares = _squares(images, self.side(iteration, images), generator)
            signs = _signs((n, channels, 1, 1), images, generator)
            rows = (~fooled).nonzero().squeeze(1)
            if not len(rows):
                break
            painted = images[rows] + epsilon * signs[rows]
            tried = torch.where(squares[rows], painted, found[rows])
            tried = project(tried, images[rows], epsilon, self.norm)
            queries[rows] += 1
            of_tried, fool = _margins(victim, tried, labels[rows])
            better = fool | (of_tried < margins[rows])
            kept = rows[better]
            found[kept], margins[kept], fooled[kept] = tried[better], of_tried[better], fool[better]
        return Attempt(found, -margins, fooled, queries)

    def side(self, iteration: int, images: Tensor) -> int:
        """The side of the squares at an iteration, in pixels; the schedule is scaled to the number of queries."""
        height, width = images.shape[2:]
        at = iteration / self.queries * 10_000
        area = self.area / 2 ** sum(at > halved for halved in HALVED_AFTER)
        return min(max(round(math.sqrt(area * height * width)), 1), height, width)


def _margins(victim: Victim, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The label's logit less the highest other, and whether another class than the label is predicted, both [n]."""
    logits = victim.logits(images)
    of_label = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return of_label.squeeze(1) - others.amax(1), logits.argmax(1) != labels


def _signs(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.where(uniform(shape, like, generator) < 0.5, -1.0, 1.0).to(like.dtype)


def _squares(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A square at a random place of each image, bool [n, 1, height, width]."""
    inside = []
    for pixels in images.shape[2:]:
        first = (uniform((len(images), 1), images, generator) * (pixels - side + 1)).floor()
        places = torch.arange(pixels, device=images.device)
        inside.append((places >= first) & (places < first + side))
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[:, None]
