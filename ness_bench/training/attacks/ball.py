"""The perturbations of at most ε: an L∞ or L2 ball around each image, cut by the pixels in [0, 1]."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from ness_bench.errors import NessBenchError

Norm = Literal["linf", "l2"]
"""How far two images are apart: by the pixel that differs most, or by the Euclidean distance over all pixels."""


def require_norm(norm: str) -> None:
    """Refuse what is no norm here."""
    if norm not in get_args(Norm):
        raise NessBenchError(f'unknown norm "{norm}"; choose "linf" or "l2"')


def widest(norm: Norm, pixels: int) -> float:
    """The distance between a black and a white image: no ε needs to be larger."""
    return 1.0 if norm == "linf" else math.sqrt(pixels)


def distance(difference: Tensor, norm: Norm) -> Tensor:
    """The norm of each row of [n, channels, height, width], [n, 1, 1, 1]."""
    flat = difference.flatten(1)
    norms = flat.abs().amax(1) if norm == "linf" else torch.linalg.vector_norm(flat, dim=1)
    return norms.view(-1, 1, 1, 1)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The step of norm 1 that a linear loss rises most by; where the gradient is 0, none.

    Source: Madry et al. (ICLR 2018): the sign for L∞, the gradient over its length for L2.
    """
    if norm == "linf":
        return gradient.sign()
    # Scaled first: squares of small gradients, which a network that is sure has, would be 0 in float32.
    largest = distance(gradient, "linf")
    scaled = gradient / torch.where(largest > 0, largest, 1)
    return scaled / distance(scaled, "l2").clamp_min(1)


def project(images: Tensor, centres: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """Images brought into the balls around `centres` and to pixels in [0, 1].

    Cutting pixels to [0, 1] brings no image further from its centre, so that one pass does both. For L2 it is not the
    nearest point of the intersection, but it is one in it.
    """
    difference = images - centres
    if norm == "linf":
        within = difference.clamp(-epsilon, epsilon)
    else:
        lengths = distance(difference, "l2")
        within = difference * (epsilon / torch.where(lengths > 0, lengths, 1)).clamp_max(1)
    return (centres + within).clamp(0, 1)


def random_start(images: Tensor, epsilon: float, norm: Norm, generator: torch.Generator) -> Tensor:
    """A point uniform in the ball around each image, cut to pixels in [0, 1]."""
    if norm == "linf":
        perturbation = 2 * uniform(images.shape, images, generator) - 1
    else:
        normal = torch.randn(images.shape, dtype=images.dtype, device=generator.device, generator=generator)
        radius = uniform((len(images), 1, 1, 1), images, generator) ** (1 / images[0].numel())
        perturbation = steepest(normal.to(images.device), "l2") * radius
    return project(images + epsilon * perturbation, images, epsilon, norm)


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), drawn where the generator is and moved to where `like` is.

    A generator on the CPU thus draws the same numbers for every device.
    """
    return torch.rand(shape, dtype=like.dtype, device=generator.device, generator=generator).to(like.device)
