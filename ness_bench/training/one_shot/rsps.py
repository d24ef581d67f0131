"""Random search with parameter sharing, RSPS (Li & Talwalkar, UAI 2019, arXiv 1902.07638): its supernet.

Each step updates the weights on one uniformly drawn path. Half of the training images train the weights; the
other half is left to compare architectures. Source of the constants and of the halves: RANDOM-NAS of the
NAS-Bench-201 authors' search code and its configuration; theirs augments the images, ours does not.
"""

from dataclasses import dataclass

from torch import Tensor

from ness_bench.training.one_shot.descent import halves
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.one_shot.single_path import SinglePathTraining


@dataclass(frozen=True)
class RspsRecipe(WeightRecipe):
    """The constants of the NAS-Bench-201 authors' search code; an epoch is a pass over one half."""

    epochs: int = 250
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001


class RspsTraining(SinglePathTraining):
    """A supernet of RSPS in training; see `SinglePathTraining`."""

    def images_a_step(self, recipe: WeightRecipe) -> int:
        return 2 * recipe.batch_size  # one half fills a batch

    def examples(self, count: int) -> Tensor:
        of_weights, _ = halves(count, self.generator)
        return of_weights
