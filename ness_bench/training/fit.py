"""Train one stand-alone network from scratch: the only entry to training a member.

Engines differ in speed, not in what they compute: both start from the same parameters, see the same
batches and agree up to the rounding of float32.
"""

import time
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton, require_fit
from ness_bench.spaces.nas_bench_201 import Architecture, to_string
from ness_bench.training.parameters import Parameters, initial
from ness_bench.training.recipe import Recipe


@dataclass(frozen=True)
class Fitted:
    """What one training leaves behind.

    Attributes:
        val: class probabilities on the validation images, float32 [examples, classes].
        test: the same on the test images.
        curve: validation accuracy after each epoch, float32 [epochs].
        cpu_seconds: of training and evaluation, in this thread, which does all the work.
    """

    val: npt.NDArray[np.float32]
    test: npt.NDArray[np.float32]
    curve: npt.NDArray[np.float32]
    cpu_seconds: float


class Engine(Protocol):
    """One network in training. Images are float32 [examples, height, width, channels]."""

    def train(
        self,
        images: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        batches: npt.NDArray[np.int64],
        rates: npt.NDArray[np.float64],
    ) -> None:
        """Take a step for each row of `batches` [steps, batch] at its learning rate in `rates` [steps]."""

    def predict(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Class probabilities [examples, classes]."""


class TrainingDivergedError(NessBenchError):
    """Predictions are no longer finite: the learning rate is too high for this network."""


def _engine(
    name: str, architecture: Architecture, skeleton: Skeleton, recipe: Recipe, parameters: Parameters
) -> Engine:
    # Imported here, since PyTorch and Numba are slow to load and only one of them is needed.
    if name == "cpu":
        from ness_bench.training.cpu.engine import CPUEngine

        return CPUEngine(architecture, skeleton, recipe, parameters)
    if name == "torch":
        from ness_bench.training.torch_engine import TorchEngine

        return TorchEngine(architecture, skeleton, recipe, parameters)
    raise NessBenchError(f'unknown training engine "{name}"; choose "cpu" or "torch"')


def learning_rates(recipe: Recipe, steps: int) -> npt.NDArray[np.float64]:
    """Learning rates [epochs, steps] on half a cosine wave that ends one step before 0."""
    progress = np.arange(recipe.epochs * steps) / (recipe.epochs * steps)
    return (recipe.learning_rate * (1 + np.cos(np.pi * progress)) / 2).reshape(recipe.epochs, steps)


def steps_an_epoch(data: DataSet, skeleton: Skeleton, recipe: Recipe) -> int:
    """How many full batches the training images make.

    Raises:
        NessBenchError: none, or the data set does not fit the skeleton.
    """
    require_fit(data, skeleton)
    if len(data.train) < recipe.batch_size:
        raise NessBenchError(
            f"{len(data.train)} training images do not fill one batch of {recipe.batch_size}; make the batch smaller"
        )
    return len(data.train) // recipe.batch_size


def require_finite(
    predictions: npt.NDArray[np.float32], architecture: Architecture, seed: int, epoch: int, recipe: Recipe
) -> None:
    """Refuse to go on with a training that diverged.

    Raises:
        TrainingDivergedError: a prediction is not finite.
    """
    if not np.isfinite(predictions).all():
        raise TrainingDivergedError(
            f"training of {to_string(architecture)} with seed {seed} diverged in epoch {epoch} of "
            f"{recipe.epochs}; lower the learning rate, now {recipe.learning_rate:g}"
        )


def fit(
    architecture: Architecture,
    data: DataSet,
    skeleton: Skeleton,
    recipe: Recipe,
    seed: int,
    *,
    engine: Literal["cpu", "torch"] = "cpu",
) -> Fitted:
    """Train a network by a recipe and predict with it.

    The result depends on the arguments alone, whatever else runs on the machine. On another kind of processor,
    or in the process that first compiles the CPU engine, sums are rounded differently, which a long training
    amplifies as another seed would.

    Args:
        seed: of the initial parameters and of the order of the training images.
        engine: "cpu" runs compiled loops made for small networks, "torch" eager PyTorch; both use one thread.

    Raises:
        TrainingDivergedError: after some epoch the predictions are not finite.
        NessBenchError: the data set does not fit the skeleton or the recipe, or the engine cannot do this size.
    """
    images, labels = data.normalise(data.train.pixels), data.train.labels
    steps = steps_an_epoch(data, skeleton, recipe)
    val_images, test_images = data.normalise(data.val.pixels), data.normalise(data.test.pixels)
    parameter_rng, order_rng = np.random.default_rng(seed).spawn(2)
    network = _engine(engine, architecture, skeleton, recipe, initial(architecture, skeleton, parameter_rng))

    start = time.thread_time()
    curve = []
    for epoch, rates in enumerate(learning_rates(recipe, steps), start=1):
        batches = order_rng.permutation(len(labels))[: steps * recipe.batch_size].reshape(steps, -1)
        network.train(images, labels, batches, rates)
        val = network.predict(val_images)
        require_finite(val, architecture, seed, epoch, recipe)
        curve.append((val.argmax(1) == data.val.labels).mean())
    test = network.predict(test_images)
    return Fitted(val, test, np.array(curve, np.float32), time.thread_time() - start)
