"""How the weights of a supernet are trained, and its architecture parameters α where it has them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightRecipe:
    """SGD with momentum, clipped gradients and a cosine schedule, stepped every batch; cross-entropy.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; a last batch that is not full is left out.
        learning_rate: at the first step.
        final_learning_rate: that the schedule ends at, one step after the last.
        momentum: of Nesterov's method, or of the plain one.
        weight_decay: L2 coefficient on the weights that a step updates.
        gradient_clip: longest gradient, in the Euclidean norm over all weights.
        nesterov: whether momentum looks ahead.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    final_learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float = 5.0
    nesterov: bool = True


@dataclass(frozen=True)
class AlphaRecipe(WeightRecipe):
    """The same with Adam on α. The values are those of DARTS and of all that follow it.

    Attributes:
        alpha_scale: standard deviation of the initial α.
        alpha_learning_rate: of Adam on α.
        alpha_betas: of Adam on α.
        alpha_weight_decay: L2 coefficient on α.
    """

    alpha_scale: float = 1e-3
    alpha_learning_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_weight_decay: float = 1e-3
