"""Uniform single-path training on all training images: the supernet of NESS.

Source of the scheme: the supernet of NESS (Shu, Chen, Dai & Low, arXiv 2109.02533), after uniform sampling
in one-shot search (Guo et al., arXiv 1904.00420); of the constants: ours.
"""

from dataclasses import dataclass

from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.one_shot.single_path import SinglePathTraining


@dataclass(frozen=True)
class UniformRecipe(WeightRecipe):
    """The defaults suit the shipped scale (10,000 images, C=4, N=3).

    They were chosen by how well inherited-weight NLL ranks stand-alone validation accuracy there, on 600 strings.
    Many small steps matter, since a step updates a fraction of the weights, and short gradients, since those of a
    path that is seldom drawn are long: after 160 epochs the rank correlation is .77 with gradients clipped to .5 and
    .68 with 5. A rate that falls to 0 lets cells with few convolutions, which converge first, lead: with
    batches of 96, gradients clipped to 5 and such a rate it is about 0 after 40 epochs.
    """

    epochs: int = 80
    batch_size: int = 32
    learning_rate: float = 0.1
    final_learning_rate: float = 0.03
    gradient_clip: float = 0.5


class UniformTraining(SinglePathTraining):
    """A supernet in uniform single-path training; see `SinglePathTraining`."""
