"""What a bank is made of."""

from dataclasses import dataclass

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.training.recipe import Recipe

ORDER_SEED = 0
"""Of the random order in which classes enter a bank: a longer bank holds all that a shorter one does."""

CHANNEL_MULTIPLE = 4
"""The widths that the CPU engine can train."""

LARGEST_BATCH = 128
"""Images that one step takes at most: DARTS's, two batches of 64."""


@dataclass(frozen=True)
class BuildPlan:
    """What a bank is made of.

    Attributes:
        data: name of the data set.
        classes: functional classes drawn.
        random_repeated: classes, first of the random order, that get further seeds.
        best_repeated: classes, best by validation NLL, that get further seeds.
        extra_seeds: how many further seeds.
        recipe: of the members.
        channels: width C of the skeleton's first stage.
        cells: cells a stage of the skeleton.
        train_examples: the first of the train split are trained on.
        val_examples: the first of the val split are predicted, and looked at after every epoch.
        test_examples: predictions of the first of the test split are kept; scores are on the whole of it.
        uniform_epochs: lengths of the single-path supernets.
        darts_epochs: length of the DARTS supernets; 0 for none.
        supernet_seeds: supernets of each kind and length.
        device: of PyTorch, such as "cuda", that trains many members at once; None for the CPU engine.
    """

    data: str
    classes: int
    random_repeated: int
    best_repeated: int
    extra_seeds: int
    recipe: Recipe
    channels: int
    cells: int
    train_examples: int
    val_examples: int
    test_examples: int
    uniform_epochs: tuple[int, ...]
    darts_epochs: int
    supernet_seeds: int
    device: str | None = None

    def __post_init__(self) -> None:
        available = len(Space.whole().classes)
        if not 1 <= self.classes <= available:
            raise NessBenchError(f"{self.classes} classes were asked for; the space has 1 to {available}")
        for repeated in (self.best_repeated, self.random_repeated):
            if not 0 <= repeated <= self.classes:
                raise NessBenchError(f"further seeds of {repeated} classes were asked for, of {self.classes} classes")
        if min(self.uniform_epochs, default=1) < 1 or len(set(self.uniform_epochs)) < len(self.uniform_epochs):
            raise NessBenchError(f"supernet lengths {self.uniform_epochs} were given; give positive, distinct ones")
        if self.channels % CHANNEL_MULTIPLE:
            raise NessBenchError(f"{self.channels} channels were asked for; give a multiple of {CHANNEL_MULTIPLE}")
        if self.train_examples < LARGEST_BATCH:
            raise NessBenchError(
                f"{self.train_examples} train examples were asked for; a step takes up to {LARGEST_BATCH}, give as many"
            )


def drawn_classes(plan: BuildPlan) -> list[Architecture]:
    """The first `classes` functional classes in the seeded random order."""
    classes = sorted(Space.whole().classes)
    order = np.random.default_rng(ORDER_SEED).permutation(len(classes))
    return [classes[row] for row in order[: plan.classes]]
