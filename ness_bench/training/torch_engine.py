"""The PyTorch engine: one network in training, eagerly, on one thread."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from ness_bench.networks.nas_bench_201 import Network
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.parameters import Parameters
from ness_bench.training.recipe import Recipe
from ness_bench.training.tensors import one_thread, to_tensor


class TorchEngine:
    """One network in training; see `fit.Engine`.

    Args:
        architecture, skeleton: the network.
        recipe: how it is trained.
        initial: parameters to start from.
    """

    def __init__(
        self,
        architecture: Architecture,
        skeleton: Skeleton,
        recipe: Recipe,
        initial: Parameters,
    ) -> None:
        self.network = Network(architecture, skeleton)
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                parameter.copy_(torch.from_numpy(initial[name]))
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
        )

    def train(
        self,
        images: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        batches: npt.NDArray[np.int64],
        rates: npt.NDArray[np.float64],
    ) -> None:
        """Take a step for each row of `batches` [steps, batch] at its learning rate in `rates` [steps]."""
        self.network.train()
        with one_thread():
            for batch, rate in zip(batches, rates, strict=True):
                for group in self.optimizer.param_groups:
                    group["lr"] = float(rate)
                loss = F.cross_entropy(self.network(to_tensor(images[batch])), torch.from_numpy(labels[batch]))
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()

    def predict(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Class probabilities [examples, classes]."""
        self.network.eval()
        with one_thread(), torch.inference_mode():
            parts = torch.split(to_tensor(images), 1_000)
            probabilities: npt.NDArray[np.float32] = torch.cat(
                [self.network(part).softmax(1) for part in parts]
            ).numpy()
        return probabilities
