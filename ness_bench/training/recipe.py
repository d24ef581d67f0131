"""How a stand-alone network is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum and a cosine schedule to 0, stepped every batch; cross-entropy; no augmentation.

    The defaults separate architectures at the shipped scale (8×8 images, C=4, N=3); a learning rate of .1
    is unstable there on some. Source of the scheme: NAS-Bench-201; of the constants: ours.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; a last batch that is not full is left out.
        learning_rate: at the first step.
        momentum: of Nesterov's method.
        weight_decay: L2 coefficient on every parameter.
    """

    epochs: int = 20
    batch_size: int = 96
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
