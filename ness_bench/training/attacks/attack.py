"""What an attack is, and what all of them ask of their input."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.ball import Norm, widest
from ness_bench.training.attacks.victim import Victim


@dataclass(frozen=True)
class Perturbed:
    """What an attack returns.

    Attributes:
        images: [n, channels, height, width], pixels in [0, 1], within ε of those attacked; where an attack did not
            succeed, the image that came closest to it.
        queries: int64 [n], how often the victim was evaluated on each; an evaluation with its gradient counts once.
    """

    images: Tensor
    queries: Tensor


class Attack(Protocol):
    """An attack: a frozen dataclass with its constants as fields."""

    @property
    def norm(self) -> Norm:
        """What ε is measured by."""

    def perturb(
        self, victim: Victim, images: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator
    ) -> Perturbed:
        """Look within ε of each image for one that the victim does not classify as its label.

        Args:
            images: [n, channels, height, width], pixels in [0, 1], floating point.
            labels: int64 [n], class indices.
            epsilon: in units of pixels in [0, 1].
            generator: all randomness there is; on the CPU, or where the images are.

        Raises:
            NessBenchError: `require_input` refuses something, or the victim's logits or gradients are not finite.
        """


def require_input(victim: Victim, images: Tensor, labels: Tensor, epsilon: float, norm: Norm) -> None:
    """Refuse what cannot be attacked; see `Attack.perturb`.

    Raises:
        NessBenchError: images are not [n, channels, height, width], none, not floating point or outside [0, 1]; labels
            are not [n], not int64 or no classes of the victim; ε is negative, or no number, or wider than [0, 1] is.
    """
    if images.ndim != 4 or not images.numel():
        raise NessBenchError(f"images are {tuple(images.shape)}; give [n, channels, height, width] with n of 1 or more")
    if not images.is_floating_point() or not ((images >= 0) & (images <= 1)).all():  # NaN is neither
        raise NessBenchError(
            "images must be floating point with pixels in [0, 1]; divide bytes by 255, and do not normalise: "
            "the victim does"
        )
    require_epsilon(epsilon, norm, images[0].numel())
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise NessBenchError(
            f"labels are {labels.dtype} {tuple(labels.shape)}; {len(images)} images need int64 ({len(images)},)"
        )
    with torch.no_grad():
        classes = victim.logits(images[:1]).shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise NessBenchError(
            f"labels lie in {int(labels.min())} to {int(labels.max())}; "
            f"the victim has {classes} classes, 0 to {classes - 1}"
        )


def require_epsilon(epsilon: float, norm: Norm, pixels: int) -> None:
    """Refuse an ε that is negative, no number, or wider than pixels in [0, 1] allow."""
    most = widest(norm, pixels)
    if not 0 <= epsilon <= most:
        raise NessBenchError(
            f"ε is {epsilon:g}; for {norm} it is in pixel units, from 0 to {most:g}: 8/255 for 8 grey levels"
        )


def require_positive(**counts: int) -> None:
    """Refuse a number of steps, restarts or queries that is below 1."""
    for name, count in counts.items():
        if count < 1:
            raise NessBenchError(f"{name} is {count}; give 1 or more")


def require_step_size(step_size: float) -> None:
    """Refuse a step, as a multiple of ε, that is 0 or leads out of the ball from everywhere in it."""
    if not (math.isfinite(step_size) and 0 < step_size <= 2):
        raise NessBenchError(
            f"step_size is {step_size:g}; it is a multiple of ε, above 0 and at most 2, the ball's diameter"
        )
