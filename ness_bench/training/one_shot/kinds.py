"""All ways to train a supernet, by name, and the one entry to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError, nearest
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.supernets import OneShotSkeleton
from ness_bench.training.one_shot.checkpoint import Identity
from ness_bench.training.one_shot.darts import DartsRecipe, DartsTraining
from ness_bench.training.one_shot.darts_second_order import SecondOrderDartsRecipe, SecondOrderDartsTraining
from ness_bench.training.one_shot.gdas import GdasRecipe, GdasTraining
from ness_bench.training.one_shot.loop import Done, run
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.one_shot.rsps import RspsRecipe, RspsTraining
from ness_bench.training.one_shot.snas import SnasRecipe, SnasTraining
from ness_bench.training.one_shot.training import Training
from ness_bench.training.one_shot.uniform import UniformRecipe, UniformTraining


@dataclass(frozen=True)
class Kind:
    """A way to train a supernet.

    Attributes:
        recipe: the class of its constants.
        training: makes a training of a data set, a skeleton, a recipe, a seed and the name of an engine, or None.
    """

    recipe: type[Any]
    training: Callable[[DataSet, OneShotSkeleton, Any, int, str | None], Training]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "uniform": Kind(UniformRecipe, UniformTraining),
        "rsps": Kind(RspsRecipe, RspsTraining),
        "darts": Kind(DartsRecipe, DartsTraining),
        "darts-v2": Kind(SecondOrderDartsRecipe, SecondOrderDartsTraining),
        "gdas": Kind(GdasRecipe, GdasTraining),
        "snas": Kind(SnasRecipe, SnasTraining),
    }
)


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    Attributes:
        model: the supernet.
        alphas: α before the first and after each epoch, float32 [epochs + 1, edges, operations]; None without α.
    """

    model: OneShotModel
    alphas: npt.NDArray[np.float32] | None


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        NessBenchError: there is none.
    """
    if name not in KINDS:
        raise NessBenchError(
            f'unknown kind of supernet "{name}"; there are {", ".join(KINDS)}{nearest(name, list(KINDS))}'
        )
    return KINDS[name]


def recipe_of(kind: str, epochs: int | None = None, **changes: Any) -> WeightRecipe:
    """The recipe of a kind, with some of its constants changed.

    Raises:
        NessBenchError: there is no such kind or constant, a value is of another type, or fewer than 1 epoch.
    """
    recipe = kind_named(kind).recipe
    known = [field.name for field in fields(recipe)]
    for name, value in changes.items():
        if name not in known:
            raise NessBenchError(
                f'a {kind} supernet has no constant "{name}"; there are {", ".join(known)}{nearest(name, known)}'
            )
        default = getattr(recipe(), name)
        wanted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(default, bool):
            raise NessBenchError(
                f'constant "{name}" of a {kind} supernet was given {value!r}; give a value like its default {default!r}'
            )
    if epochs is not None:
        changes["epochs"] = epochs
    made: WeightRecipe = recipe(**changes)
    if made.epochs < 1:
        raise NessBenchError(f"{made.epochs} epochs were given; a supernet is trained for 1 or more")
    return made


def train(
    kind: str,
    data: DataSet,
    skeleton: OneShotSkeleton,
    recipe: WeightRecipe,
    seed: int,
    *,
    engine: Literal["cpu", "torch"] | None = None,
    checkpoint: Path | None = None,
    done: Done | None = None,
) -> Trained:
    """Train a supernet on the train split, from a checkpoint on where there is one.

    The result depends on the data set, skeleton, recipe, seed and engine alone, bit for bit, however often the
    training was stopped; on other processors see `training.fit.fit`.

    Args:
        recipe: of the kind's own class; see `recipe_of`.
        seed: of all that is drawn.
        engine: "cpu" runs compiled loops made for small networks, which single-path kinds have on NAS-Bench-201;
            "torch" eager PyTorch; both use one thread. None takes the former where it is possible.
        checkpoint: the file that the state is kept in after each epoch; it need not exist yet.
        done: is called after each epoch with its number, from 1, and its mean loss.

    Raises:
        TrainingDivergedError: a loss or a weight is not finite.
        NessBenchError: the kind is unknown, the recipe is not its own, the data set does not fit, the engine cannot do
            it, or the checkpoint is damaged or one of another training.
    """
    of = kind_named(kind)
    if type(recipe) is not of.recipe:
        raise NessBenchError(
            f"a {kind} supernet was given a {type(recipe).__name__}; it takes a {of.recipe.__name__}, see "
            f'recipe_of("{kind}")'
        )
    training = of.training(data, skeleton, recipe, seed, engine)
    identity = Identity.of(kind, training.engine, seed, recipe, skeleton, data)
    run(training, identity, checkpoint, done)
    return Trained(training.model, training.alphas)
