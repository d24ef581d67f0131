"""Train a genotype of DARTS's space as DARTS does (Liu, Simonyan & Yang, ICLR 2019), whatever method found it.

Images are augmented on the device, a batch at a time: a crop of the image padded with black, mirrored or not, then
normalised (in advance, which is the same), then a square set to zero (cutout; DeVries & Taylor, arXiv 1708.04552).

Tested on CPU tensors; not yet run on a GPU.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_evaluation import DartsNetwork, drop_paths
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.skeleton import require_fit
from ness_bench.spaces.darts import Architecture, to_string
from ness_bench.training.fit import Fitted, TrainingDivergedError
from ness_bench.training.tensors import one_thread, to_tensor


@dataclass(frozen=True)
class EvaluationRecipe:
    """SGD with momentum, clipped gradients and a cosine schedule to 0, stepped every epoch; cross-entropy.

    The defaults are the published ones for CIFAR-10, where all 50,000 training images were trained on.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; a last batch may have fewer, but is left out if it is a single image, which
            batch normalisation cannot take.
        learning_rate: in the first epoch.
        momentum: of SGD, not Nesterov's.
        weight_decay: L2 coefficient on every parameter.
        gradient_clip: longest gradient, in the Euclidean norm over all parameters.
        auxiliary_weight: of the auxiliary head's loss; with 0 there is no such head.
        crop_padding: pixels by which images are padded on every side before they are cropped.
        cutout: side of the square that is cut out, in pixels.
        drop_path: probability of drop-path that would be reached after the last epoch; it rises linearly from 0.
        channels: C of the network.
        layers: cells of the network.

    Raises:
        NessBenchError: there is no epoch, batches are of single images, or the drop-path is no probability.
    """

    epochs: int = 600
    batch_size: int = 96
    learning_rate: float = 0.025
    momentum: float = 0.9
    weight_decay: float = 3e-4
    gradient_clip: float = 5.0
    auxiliary_weight: float = 0.4
    crop_padding: int = 4
    cutout: int = 16
    drop_path: float = 0.2
    channels: int = 36
    layers: int = 20

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or not 0 <= self.drop_path <= 1:
            raise NessBenchError(
                f"epochs {self.epochs}, batch_size {self.batch_size} and drop_path {self.drop_path} were given; "
                "they must be at least 1, at least 2 and from 0 to 1"
            )

    def learning_rate_in(self, epoch: int) -> float:
        """The learning rate of an epoch, the first of which is 0."""
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    def drop_path_in(self, epoch: int) -> float:
        """The probability of drop-path in an epoch, the first of which is 0."""
        return self.drop_path * epoch / self.epochs


def shift(images: Tensor, offsets: Tensor, mirrored: Tensor, fill: Tensor) -> Tensor:
    """Crop images of their own size from padded ones, and mirror some of the crops left to right.

    Args:
        images: [examples, channels, height, width].
        offsets: rows and columns by which each crop lies further down and to the right, int64 [examples, 2].
        mirrored: which crops are mirrored, bool [examples].
        fill: value of the padding, [channels].
    """
    examples, channels, height, width = images.shape
    device = images.device
    columns = torch.arange(width, device=device)
    columns = torch.where(mirrored[:, None], columns.flip(0), columns) + offsets[:, 1:]
    rows = torch.arange(height, device=device) + offsets[:, :1]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    cropped = images[
        torch.arange(examples, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[:, None, None],
        rows.clamp(0, height - 1)[:, None, :, None],
        columns.clamp(0, width - 1)[:, None, None],
    ]
    return torch.where(inside[:, None], cropped, fill[:, None, None])


def cut_out(images: Tensor, centres: Tensor, side: int) -> Tensor:
    """Set a square of each image to zero; what of it lies outside of the image is cut off.

    Args:
        images: [examples, channels, height, width].
        centres: row and column, int64 [examples, 2]; a square reaches from side // 2 pixels before its centre to
            side // 2 - 1 behind it.
    """

    def covered(size: int, centre: Tensor) -> Tensor:
        distance = torch.arange(size, device=images.device) - centre[:, None]
        return (distance >= -(side // 2)) & (distance < side // 2)

    rows, columns = covered(images.shape[2], centres[:, 0]), covered(images.shape[3], centres[:, 1])
    return images.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 0)


def augment(images: Tensor, fill: Tensor, recipe: EvaluationRecipe, generator: torch.Generator) -> Tensor:
    """Crop, mirror and cut out at random.

    Args:
        images: normalised, [examples, channels, size, size].
        fill: what black is normalised to, [channels].
        generator: on the images' device.
    """
    examples, size, device = len(images), images.shape[2], images.device
    padding = recipe.crop_padding
    offsets = torch.randint(-padding, padding + 1, (examples, 2), generator=generator, device=device)
    mirrored = torch.rand(examples, generator=generator, device=device) < 0.5
    centres = torch.randint(size, (examples, 2), generator=generator, device=device)
    return cut_out(shift(images, offsets, mirrored, fill), centres, recipe.cutout)


class _Descent:
    """A network in training, on its device."""

    def __init__(self, network: DartsNetwork, recipe: EvaluationRecipe, fill: Tensor, seed: int) -> None:
        self.network, self.recipe, self.fill = network, recipe, fill
        self.generator = torch.Generator(fill.device).manual_seed(seed)
        self.optimizer = torch.optim.SGD(
            network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )

    def epoch(self, epoch: int, images: Tensor, labels: Tensor, batches: list[Tensor]) -> Tensor:
        """Take a step on each batch of example indices; the loss of each step, [steps]."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_in(epoch)
        probability = self.recipe.drop_path_in(epoch)
        return torch.stack([self._step(images[batch], labels[batch], probability) for batch in batches])

    def _step(self, images: Tensor, labels: Tensor, probability: float) -> Tensor:
        paths = drop_paths(self.network.skeleton, len(images), probability, self.generator) if probability else None
        logits, auxiliary = self.network(augment(images, self.fill, self.recipe, self.generator), paths)
        loss = F.cross_entropy(logits, labels)
        if auxiliary is not None:
            loss = loss + self.recipe.auxiliary_weight * F.cross_entropy(auxiliary, labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()
        return loss.detach()


def _predict(network: DartsNetwork, images: Tensor, batch_size: int) -> npt.NDArray[np.float32]:
    """Class probabilities [examples, classes]."""
    network.eval()
    with torch.inference_mode():
        parts = [network(part)[0].softmax(1) for part in torch.split(images, batch_size)]
        probabilities: npt.NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return probabilities


def skeleton_for(data: DataSet, recipe: EvaluationRecipe) -> DartsSkeleton:
    """The skeleton of a recipe's width and depth that takes a data set.

    Raises:
        NessBenchError: its images are not square, or cannot be halved twice.
    """
    _, size, _, input_channels = data.train.pixels.shape
    skeleton = DartsSkeleton(recipe.channels, recipe.layers, input_channels, len(data.class_names), size)
    require_fit(data, skeleton)
    return skeleton


def train(
    architecture: Architecture,
    data: DataSet,
    recipe: EvaluationRecipe,
    seed: int,
    device: str = "cpu",
    done: Callable[[int, float], object] | None = None,
) -> Fitted:
    """Train a network by a recipe on the train split, and predict with it.

    On a CPU the result depends on the arguments alone. On a GPU some sums have no fixed order, and `cpu_seconds`
    are those of launching the work and waiting for it.

    Args:
        architecture: any of the space.
        seed: of the initial weights, the order of the training images, their augmentation and drop-path.
        device: of PyTorch, such as "cuda"; on the "cpu", of which one core is used, the published recipe takes
            months.
        done: is told each epoch that is done, from 1, and the mean of its steps' losses.

    Raises:
        TrainingDivergedError: a loss or a prediction is not finite.
        NessBenchError: it is no architecture, or the data set fits no network of the recipe.
    """
    if len(data.train) < 2:
        raise NessBenchError(f"{len(data.train)} training image(s) were given; batch normalisation needs 2 or more")
    weight_rng, order_rng, noise_rng = np.random.default_rng(seed).spawn(3)
    generator = torch.Generator().manual_seed(int(weight_rng.integers(2**63)))
    auxiliary = recipe.auxiliary_weight > 0
    network = DartsNetwork(architecture, skeleton_for(data, recipe), auxiliary, generator).to(device)

    def resident(pixels: npt.NDArray[np.uint8]) -> Tensor:
        return to_tensor(data.normalise(pixels)).contiguous().to(device)

    black = resident(np.zeros_like(data.train.pixels[:1, :1, :1])).flatten()
    images, labels = resident(data.train.pixels), torch.from_numpy(data.train.labels).to(device)
    val_images, test_images = resident(data.val.pixels), resident(data.test.pixels)
    descent = _Descent(network, recipe, black, int(noise_rng.integers(2**63)))

    def require_finite(values: npt.NDArray[np.float32], what: str, epoch: int) -> None:
        finite = np.isfinite(values.reshape(len(values), -1)).all(1)
        if not finite.all():
            raise TrainingDivergedError(
                f"training of {to_string(architecture)} with seed {seed} diverged in epoch {epoch} of {recipe.epochs}: "
                f"{what} {int(finite.argmin()) + 1} is not finite; lower the learning rate, "
                f"now {recipe.learning_rate:g}"
            )

    start = time.thread_time()
    curve = []
    with one_thread():
        for epoch in range(recipe.epochs):
            order = torch.from_numpy(order_rng.permutation(len(labels))).to(device)
            batches = [batch for batch in torch.split(order, recipe.batch_size) if len(batch) > 1]
            losses = descent.epoch(epoch, images, labels, batches).cpu().numpy()
            require_finite(losses, "the loss of step", epoch + 1)
            val = _predict(network, val_images, recipe.batch_size)
            require_finite(val, "the prediction of validation image", epoch + 1)
            curve.append((val.argmax(1) == data.val.labels).mean())
            if done is not None:
                done(epoch + 1, float(losses.mean()))
        test = _predict(network, test_images, recipe.batch_size)
    return Fitted(val, test, np.array(curve, np.float32), time.thread_time() - start)
