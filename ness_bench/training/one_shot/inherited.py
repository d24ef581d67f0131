"""Predictions of architectures with the weights that they inherit from a supernet."""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from ness_bench.errors import NessBenchError
from ness_bench.networks.one_shot_model import OneShotModel, Path
from ness_bench.networks.statistics import FixedStatistics, RecordedStatistics
from ness_bench.networks.supernet import Supernet
from ness_bench.training.tensors import one_thread, to_arrays, to_tensor


def probabilities(
    supernet: OneShotModel,
    architecture: Path,
    images: npt.NDArray[np.float32],
    calibration: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Class probabilities by PyTorch, float32 [examples, classes].

    Args:
        images: normalised, float32 [examples, height, width, channels].
        calibration: likewise; see `predictions`.
    """
    with one_thread(), torch.inference_mode():
        if calibration is None:
            logits = supernet.forward_path(to_tensor(images), architecture)
        else:
            with RecordedStatistics() as recorded:
                supernet.forward_path(to_tensor(calibration), architecture)
            with FixedStatistics(recorded):
                logits = supernet.forward_path(to_tensor(images), architecture)
        predicted: npt.NDArray[np.float32] = logits.softmax(1).numpy()
    return predicted


def predictions(
    supernet: OneShotModel,
    architectures: Iterable[Path],
    images: npt.NDArray[np.float32],
    *,
    engine: Literal["cpu", "torch"] | None = None,
    calibration: npt.NDArray[np.float32] | None = None,
) -> Iterator[npt.NDArray[np.float32]]:
    """The class probabilities of each architecture in turn.

    Args:
        images: normalised, float32 [examples, height, width, channels].
        engine: as in `kinds.train`.
        calibration: images whose statistics, as one batch, normalise all others; None stands for `images`, so that a
            prediction depends on all of them.

    Raises:
        NessBenchError: the engine is unknown or cannot do this supernet.
    """
    if engine not in (None, "cpu", "torch"):
        raise NessBenchError(f'unknown engine "{engine}"; choose "cpu" or "torch"')
    if engine == "torch" or (engine is None and not _compiled(supernet)):
        return (probabilities(supernet, architecture, images, calibration) for architecture in architectures)
    if not isinstance(supernet, Supernet):
        raise NessBenchError('the engine "cpu" knows the cells of NAS-Bench-201 only; choose the engine "torch"')
    from ness_bench.training.cpu import supernet as cpu  # here, since Numba is slow to load

    return cpu.predictions(supernet.skeleton, to_arrays(supernet), architectures, images, calibration)


def _compiled(supernet: OneShotModel) -> bool:
    """Whether the CPU engine can do the supernet."""
    if not isinstance(supernet, Supernet):
        return False
    from ness_bench.training.cpu.kernels import CHANNEL_MULTIPLE

    return supernet.skeleton.channels % CHANNEL_MULTIPLE == 0


def log_likelihood_gradient(
    supernet: OneShotModel, path: Path, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The gradient of an architecture's log-likelihood with respect to the weights of all operations.

    The log-likelihood is summed over the examples, which form one batch. The weights are those of
    `OneShotModel.forward`, one-hot at the path: what the straight-through estimator takes for the gradient by a draw.

    Args:
        path: the operation on each edge.
        images: normalised, float32 [examples, height, width, channels].
        labels: int64 [examples].

    Returns:
        float64 [edges, operations].
    """
    _, operations = supernet.alpha_shape
    weights = F.one_hot(torch.tensor(path), operations).float().requires_grad_()
    with one_thread():
        logits = supernet(to_tensor(images), weights)
        loss = F.cross_entropy(logits, torch.from_numpy(labels), reduction="sum")
        (gradient,) = torch.autograd.grad(-loss, weights)
    by_weight: npt.NDArray[np.float64] = gradient.double().numpy()
    return by_weight
