"""Predictions of architectures with the weights that they inherit from a supernet."""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ness_bench.errors import NessBenchError
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.tensors import one_thread, to_arrays, to_tensor


def probabilities(
    supernet: Supernet, architecture: Architecture, images: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Class probabilities by PyTorch, float32 [examples, classes].

    All images form one batch, whose statistics normalise each of them.

    Args:
        images: normalised, float32 [examples, height, width, channels].
    """
    with one_thread(), torch.inference_mode():
        predicted: npt.NDArray[np.float32] = supernet.forward_path(to_tensor(images), architecture).softmax(1).numpy()
    return predicted


def predictions(
    supernet: Supernet,
    architectures: Iterable[Architecture],
    images: npt.NDArray[np.float32],
    *,
    engine: Literal["cpu", "torch"] = "cpu",
) -> Iterator[npt.NDArray[np.float32]]:
    """The class probabilities of each architecture in turn.

    Args:
        images: normalised, float32 [examples, height, width, channels].
        engine: as in `uniform.train`.

    Raises:
        NessBenchError: the engine is unknown or cannot do this size.
    """
    if engine == "cpu":
        from ness_bench.training.cpu import supernet as cpu  # here, since Numba is slow to load

        return cpu.predictions(supernet.skeleton, to_arrays(supernet), architectures, images)
    if engine == "torch":
        return (probabilities(supernet, architecture, images) for architecture in architectures)
    raise NessBenchError(f'unknown training engine "{engine}"; choose "cpu" or "torch"')
