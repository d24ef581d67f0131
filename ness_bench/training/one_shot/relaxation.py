"""Relaxed samples of architectures, and the temperature that hardens them.

The Concrete distribution (Maddison, Mnih & Teh, ICLR 2017; Jang, Gu & Poole, ICLR 2017): the softmax of (α + G)/τ
with Gumbel noise G. Its argmax follows softmax(α) whatever τ; as τ falls, samples become one-hot.
"""

import torch
from torch import Tensor


def gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, finite."""
    exponential = torch.empty(shape).exponential_(generator=generator)
    return -exponential.clamp_min(torch.finfo(torch.float32).tiny).log()


def concrete(alphas: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """A relaxed one-hot choice on every edge [edges, operations], differentiable in α."""
    return ((alphas + gumbel(alphas.shape, generator)) / temperature).softmax(1)


def annealed(first: float, last: float, epoch: int, epochs: int) -> float:
    """A temperature that falls linearly from the first epoch, which is 1, to the last."""
    return first + (last - first) * (epoch - 1) / max(epochs - 1, 1)
