"""Predictions of an architecture with the weights that it inherits from a supernet."""

import numpy as np
import numpy.typing as npt
import torch

from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.tensors import one_thread, to_tensor


def probabilities(
    supernet: Supernet, architecture: Architecture, images: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Class probabilities, float32 [examples, classes].

    All images form one batch, whose statistics normalise each of them.

    Args:
        images: normalised, float32 [examples, height, width, channels].
    """
    with one_thread(), torch.inference_mode():
        predicted: npt.NDArray[np.float32] = supernet.forward_path(to_tensor(images), architecture).softmax(1).numpy()
    return predicted
