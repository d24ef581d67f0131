"""Single-path training: each step draws one architecture uniformly and updates only the weights on its path."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.one_shot_model import OneShotModel, Path
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernets import OneShotSkeleton, supernet_of
from ness_bench.training.one_shot.descent import Descent, shuffled, train_tensors
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.one_shot.training import Training
from ness_bench.training.tensors import to_arrays


class EagerPaths:
    """Steps on single paths by PyTorch; a part of a training."""

    def __init__(
        self, supernet: OneShotModel, images: Tensor, labels: Tensor, recipe: WeightRecipe, steps: int
    ) -> None:
        self._supernet, self._images, self._labels = supernet, images, labels
        self._descent = Descent(supernet, recipe, steps)
        self.state, self.restore = self._descent.state, self._descent.restore

    def step(self, path: Path, batch: Tensor) -> float:
        """Update the weights on a path; the loss before."""
        logits = self._supernet.forward_path(self._images[batch], path)
        return self._descent.step(F.cross_entropy(logits, self._labels[batch]))

    def finish(self) -> None:
        """The supernet is always up to date."""


class CompiledPaths:
    """Steps on single paths by the CPU engine, which holds the weights; a part of a training."""

    def __init__(
        self,
        supernet: OneShotModel,
        skeleton: Skeleton,
        images: Tensor,
        labels: Tensor,
        recipe: WeightRecipe,
        steps: int,
    ) -> None:
        from ness_bench.training.cpu.supernet import CPUSupernet  # here, since Numba is slow to load

        self._supernet = supernet
        self._training = CPUSupernet(skeleton, to_arrays(supernet), recipe)
        self._pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        self._labels = labels.numpy()
        spread = (recipe.learning_rate - recipe.final_learning_rate) / 2
        self._rates = recipe.final_learning_rate + spread * (1 + np.cos(np.pi * np.arange(steps) / steps))
        self._step = 0

    def step(self, path: Path, batch: Tensor) -> float:
        """Update the weights on a path; the loss before."""
        rate = self._rates[self._step]
        self._step += 1
        return self._training.step(path, self._pixels, self._labels, batch.numpy(), rate)

    def finish(self) -> None:
        """Copy the weights into the supernet."""
        weights = self._training.weights()
        self._supernet.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})

    def state(self) -> dict[str, Tensor]:
        held = {"weights": self._training.weights(), "momentum": self._training.momentum()}
        state = {
            f"{of}.{name}": torch.from_numpy(np.ascontiguousarray(value))
            for of, values in held.items()
            for name, value in values.items()
        }
        return state | {"steps": torch.tensor(self._step)}

    def restore(self, state: dict[str, Tensor]) -> None:
        weights, momentum = (
            {name: state[f"{of}.{name}"].numpy() for name in self._training.tape.shapes}
            for of in ("weights", "momentum")
        )
        self._training.restore(weights, momentum)
        self._step = int(state["steps"])


def choose_engine(skeleton: OneShotSkeleton, recipe: WeightRecipe, engine: str | None) -> str:
    """The engine that was asked for, or else the CPU engine where it can do this training.

    Raises:
        NessBenchError: there is no such engine, or the CPU engine knows no such cells or steps.
    """
    if engine not in (None, "cpu", "torch"):
        raise NessBenchError(f'unknown training engine "{engine}"; choose "cpu" or "torch"')
    if engine == "cpu" and not isinstance(skeleton, Skeleton):
        raise NessBenchError('the engine "cpu" knows the cells of NAS-Bench-201 only; choose the engine "torch"')
    if engine == "cpu" and not recipe.nesterov:
        raise NessBenchError('the engine "cpu" knows Nesterov\'s momentum only; choose the engine "torch"')
    if engine is not None:
        return engine
    if not isinstance(skeleton, Skeleton) or not recipe.nesterov:
        return "torch"
    from ness_bench.training.cpu.kernels import BATCH_MULTIPLE, CHANNEL_MULTIPLE  # here, since Numba is slow to load

    fits = skeleton.channels % CHANNEL_MULTIPLE == 0 and recipe.batch_size % BATCH_MULTIPLE == 0
    return "cpu" if fits else "torch"


class SinglePathTraining(Training):
    """A supernet in single-path training.

    Args:
        data: its train split is used.
        skeleton, recipe: of the supernet and of its training.
        seed: of the examples that are used, the initial weights, their order and the architectures.
        engine: "cpu" runs compiled loops made for small networks, "torch" eager PyTorch; None chooses.

    Raises:
        NessBenchError: the data set does not fit the skeleton or the recipe, or the engine cannot do this size.
    """

    def __init__(
        self, data: DataSet, skeleton: OneShotSkeleton, recipe: WeightRecipe, seed: int, engine: str | None = None
    ) -> None:
        self.engine = choose_engine(skeleton, recipe, engine)
        images, labels = train_tensors(data, skeleton, self.images_a_step(recipe))
        self.generator = torch.Generator().manual_seed(seed)
        self._examples = self.examples(len(labels))
        self.model = supernet_of(skeleton, self.generator)
        self._batch_size = recipe.batch_size
        steps = recipe.epochs * (len(self._examples) // recipe.batch_size)
        self._paths: EagerPaths | CompiledPaths
        if self.engine == "cpu":
            assert isinstance(skeleton, Skeleton), "the engine was chosen for it"
            self._paths = CompiledPaths(self.model, skeleton, images, labels, recipe, steps)
        else:
            self._paths = EagerPaths(self.model, images, labels, recipe, steps)
        self.parts = {"paths": self._paths}

    def images_a_step(self, recipe: WeightRecipe) -> int:
        """How many training images there must be at least."""
        return recipe.batch_size

    def examples(self, count: int) -> Tensor:
        """The indices of the training images that are used."""
        return torch.arange(count)

    def steps(self, epoch: int) -> Iterator[float]:
        for batch in shuffled(self._examples, self._batch_size, self.generator):
            yield self._paths.step(self.model.random_path(self.generator), batch)

    def finish(self) -> None:
        self._paths.finish()
