"""How the weights of a supernet are trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightRecipe:
    """SGD with Nesterov momentum, clipped gradients and a cosine schedule, stepped every batch; cross-entropy.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; a last batch that is not full is left out.
        learning_rate: at the first step.
        final_learning_rate: that the schedule ends at, one step after the last.
        momentum: of Nesterov's method.
        weight_decay: L2 coefficient on the weights that a step updates.
        gradient_clip: longest gradient, in the Euclidean norm over all weights.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    final_learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float = 5.0
