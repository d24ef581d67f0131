"""Train many stand-alone networks at once, for GPUs, which one small network leaves idle.

The sum of all members' losses and one optimizer over all their parameters train each member as it would be
trained alone: no term of the sum depends on the parameters of two members. A step takes some 1,500 kernels,
however many members there are, so a stack should be as large as memory allows.

Tested on CPU tensors; not yet run on a GPU.
"""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.stacked import StackedNetwork
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.training.fit import Fitted, learning_rates, require_finite, steps_an_epoch
from ness_bench.training.parameters import initial
from ness_bench.training.recipe import Recipe
from ness_bench.training.tensors import one_thread, to_tensor


def _require_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch raises either, by how it was built
        raise NessBenchError(
            f'device "{device}" cannot be used: {error}; choose "cuda" on a machine with a GPU, or "cpu"'
        ) from error


def _train(
    network: StackedNetwork,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    batches: Tensor,
    rates: npt.NDArray[np.float64],
) -> None:
    """Take a step for each of `batches` [steps, members, batch] at its learning rate in `rates` [steps]."""
    network.train()
    for batch, rate in zip(batches, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        logits = network(images[batch]).flatten(0, 1)
        loss = F.cross_entropy(logits, labels[batch].flatten(), reduction="sum") / batch.shape[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _predict(network: StackedNetwork, members: int, images: Tensor, batch_size: int) -> npt.NDArray[np.float32]:
    """Class probabilities [members, examples, classes], computed a batch at a time: a step has room for it."""
    network.eval()
    with torch.inference_mode():
        parts = [network(part.expand(members, *part.shape)).softmax(2) for part in torch.split(images, batch_size)]
        probabilities: npt.NDArray[np.float32] = torch.cat(parts, 1).cpu().numpy()
    return probabilities


def fit_many(
    members: Sequence[tuple[Architecture, int]], data: DataSet, skeleton: Skeleton, recipe: Recipe, device: str
) -> list[Fitted]:
    """Train a network for each (architecture, seed) by a recipe and predict with it.

    What `fit` returns for each member, up to the rounding of float32. Rounding may differ with the other
    members, too: libraries choose their kernels by size.

    The `cpu_seconds` of a member are an equal share of the processor time of this process, all its threads,
    as a stack has no times of single members. On a GPU they count launching the work and waiting for it, so
    they do not compare with those of `fit`.

    Args:
        members: all are in memory at once; at the shipped scale (8×8 images, C=4, N=3, batches of 96) one
            takes about 20 MB.
        device: of PyTorch, such as "cuda"; "cpu" does, with one thread, but `fit` is several times faster there.

    Raises:
        TrainingDivergedError: after some epoch the predictions of a member are not finite.
        NessBenchError: the data set does not fit the skeleton or the recipe, or the device cannot be used or has
            no room for so many members.
    """
    _require_device(device)
    try:
        return _fit_many(members, data, skeleton, recipe, device)
    except torch.OutOfMemoryError:
        raise NessBenchError(
            f"{len(members)} members at once do not fit into the memory of {device}; train fewer at once"
        ) from None


def _fit_many(
    members: Sequence[tuple[Architecture, int]], data: DataSet, skeleton: Skeleton, recipe: Recipe, device: str
) -> list[Fitted]:
    examples, steps = len(data.train), steps_an_epoch(data, skeleton, recipe)

    def resident(split: LabelledImages) -> Tensor:
        return to_tensor(data.normalise(split.pixels)).to(device)

    images, labels = resident(data.train), torch.from_numpy(data.train.labels).to(device)
    val_images, test_images = resident(data.val), resident(data.test)
    rngs = [np.random.default_rng(seed).spawn(2) for _, seed in members]  # of parameters and of the order, as in fit
    states = [
        {name: torch.from_numpy(value) for name, value in initial(architecture, skeleton, rng).items()}
        for (architecture, _), (rng, _) in zip(members, rngs, strict=True)
    ]
    network = StackedNetwork([architecture for architecture, _ in members], states, skeleton).to(device)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )

    start = time.process_time()
    curves = []
    with one_thread():
        for epoch, rates in enumerate(learning_rates(recipe, steps), start=1):
            orders = np.stack([rng.permutation(examples)[: steps * recipe.batch_size] for _, rng in rngs])
            batches = torch.from_numpy(orders.reshape(len(members), steps, -1).swapaxes(0, 1)).to(device)
            _train(network, optimizer, images, labels, batches, rates)
            val = _predict(network, len(members), val_images, recipe.batch_size)
            for (architecture, seed), predictions in zip(members, val, strict=True):
                require_finite(predictions, architecture, seed, epoch, recipe)
            curves.append((val.argmax(2) == data.val.labels).mean(1))
        test = _predict(network, len(members), test_images, recipe.batch_size)
    seconds = (time.process_time() - start) / len(members)
    return [Fitted(*arrays, seconds) for arrays in zip(val, test, np.array(curves, np.float32).T, strict=True)]
