"""The pieces of work that a bank is built from, each of which leaves one file behind.

In the folder of a bank in the making:

    members/ARCH-SEED.npz        a trained member: float predictions, curve, seconds
    supernets/NAME.safetensors   a trained supernet
    supernets/NAME.npz           how well each architecture does with inherited weights
    val/, test/, optima/         what `assemble` makes of them

Each file appears whole, by a rename, so that a build killed at any moment loses what was in the making
and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ness_bench.banks import supernets
from ness_bench.banks.plan import BuildPlan
from ness_bench.data.images import DataSet
from ness_bench.data.named import load_first
from ness_bench.ensembles.metrics import nll
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture, prune
from ness_bench.spaces.space import Space
from ness_bench.training.fit import Fitted, fit

MOST_CLASSES = 64
"""Of images: with more, the units of the codec would not suffice to tell their probabilities apart."""


@lru_cache(maxsize=1)
def load_data(plan: BuildPlan) -> DataSet:
    """The plan's data set, train and val cut to their numbers of examples.

    Raises:
        NessBenchError: the data set is unknown, damaged or smaller, has too many classes, or the train examples asked
            for lack a class or do not differ in a channel.
    """
    data = load_first(plan.data, plan.train_examples, plan.val_examples)
    if not 1 <= plan.test_examples <= len(data.test):
        raise NessBenchError(
            f"{plan.test_examples} test examples were asked for; {plan.data} has 1 to {len(data.test)}"
        )
    if len(data.class_names) > MOST_CLASSES:
        raise NessBenchError(f"{plan.data} has {len(data.class_names)} classes; a bank takes {MOST_CLASSES} at most")
    return data


def skeleton_of(plan: BuildPlan) -> Skeleton:
    """The skeleton that fits the plan's data."""
    data = load_data(plan)
    _, height, _, channels = data.train.pixels.shape
    return Skeleton(plan.channels, plan.cells, channels, len(data.class_names), height)


@dataclass(frozen=True)
class MemberJob:
    """Train one member and keep it."""

    plan: BuildPlan
    folder: Path
    architecture: Architecture
    seed: int

    @property
    def path(self) -> Path:
        return self.folder / "members" / f"{''.join(map(str, self.architecture))}-{self.seed}.npz"

    def run(self) -> None:
        self.keep(fit(self.architecture, load_data(self.plan), skeleton_of(self.plan), self.plan.recipe, self.seed))

    def keep(self, fitted: Fitted) -> None:
        """Write what a training left behind."""
        arrays: dict[str, Any] = asdict(fitted)
        write_atomically(self.path, lambda file: np.savez_compressed(file, **arrays))

    def read(self) -> dict[str, npt.NDArray[Any]]:
        """`val` and `test`, float32 [examples, classes], `curve` and `cpu_seconds`, as `fit` returned them."""
        with np.load(self.path, allow_pickle=False) as arrays:
            return dict(arrays)

    def val_nll(self) -> float:
        """In nats an example, of the float predictions."""
        return nll(self.read()["val"], load_data(self.plan).val.labels)


def train_at_once(members: Sequence[MemberJob], device: str) -> None:
    """Train a stack of members on a device of PyTorch and keep each.

    Raises:
        NessBenchError: as `fit_many`.
    """
    from ness_bench.training.stacked import fit_many

    plan = members[0].plan
    drawn = [(job.architecture, job.seed) for job in members]
    for job, fitted in zip(
        members, fit_many(drawn, load_data(plan), skeleton_of(plan), plan.recipe, device), strict=True
    ):
        job.keep(fitted)


@dataclass(frozen=True)
class SupernetJob:
    """Train one supernet and keep its weights and, where it learns them, α."""

    plan: BuildPlan
    folder: Path
    kind: str
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.epochs}-seed{self.seed}"

    @property
    def path(self) -> Path:
        return self.folder / "supernets" / f"{self.name}.safetensors"

    def run(self) -> None:
        from ness_bench.training.one_shot import kinds, weights

        data, recipe = load_data(self.plan), kinds.recipe_of(self.kind, self.epochs)
        trained = kinds.train(self.kind, data, skeleton_of(self.plan), recipe, self.seed)
        content = weights.to_bytes(
            trained.model,
            trained.alphas,
            kind=self.kind,
            seed=self.seed,
            recipe=asdict(recipe),
            data=data.name,
            data_digest=data.digest,
        )
        write_atomically(self.path, lambda file: file.write(content))

    def alphas(self) -> npt.NDArray[np.float32]:
        """α before the first and after each epoch of a supernet that learns it."""
        from ness_bench.training.one_shot import weights

        _, alphas = weights.load(self.path, skeleton_of(self.plan))
        assert alphas is not None, f"{self.kind} learns no α"
        return alphas


@dataclass(frozen=True)
class InheritedJob:
    """Score every architecture of a space on the validation split with the weights that it inherits."""

    supernet: SupernetJob
    space: Space

    @property
    def path(self) -> Path:
        return self.supernet.path.with_suffix(".npz")

    def run(self) -> None:
        from ness_bench.training.one_shot import inherited, weights

        job, data = self.supernet, load_data(self.supernet.plan)
        supernet, alphas = weights.load(job.path, skeleton_of(job.plan))
        architectures = sorted({prune(architecture) for architecture in self.space.architectures})
        predict = partial(inherited.predictions, supernet, architectures)
        scores = supernets.scores(predict, data.normalise(data.val.pixels), data.val.labels)
        passes = job.epochs * len(data.train)
        content = supernets.content(scores, architectures, job.kind, job.epochs, job.seed, passes, alphas)
        write_atomically(self.path, lambda file: np.savez_compressed(file, **content))


class Job(Protocol):
    """A piece of work; done when its file is there."""

    @property
    def path(self) -> Path: ...
    def run(self) -> None: ...


Do = Callable[[str, Sequence[Job]], None]
"""Does the jobs of a stage that are not done yet, given its name."""
