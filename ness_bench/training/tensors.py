"""What everything that trains in PyTorch shares."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ness_bench.training.parameters import Parameters


def to_tensor(images: npt.NDArray[np.float32]) -> Tensor:
    """Images [examples, height, width, channels] as networks take them, [examples, channels, height, width]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def to_arrays(network: nn.Module) -> Parameters:
    """The network's parameters by name, sharing its memory."""
    return {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: sums do not depend on the machine, and small networks are not faster on more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
