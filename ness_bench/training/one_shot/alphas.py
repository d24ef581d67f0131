"""Architecture parameters α: their steps by Adam, and their history."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ness_bench.training.one_shot.recipe import AlphaRecipe


class Alphas:
    """Architecture parameters in training.

    Args:
        start: α before the first step [edges, operations].
        recipe: of the steps.

    Attributes:
        value: α [edges, operations], a leaf that requires a gradient.
    """

    def __init__(self, start: Tensor, recipe: AlphaRecipe) -> None:
        self.value = start.requires_grad_()
        self._adam = torch.optim.Adam(
            [self.value], recipe.alpha_learning_rate, recipe.alpha_betas, weight_decay=recipe.alpha_weight_decay
        )
        self._history = [self.value.detach().clone()]

    def step(self, gradient: Tensor) -> None:
        """Update α by the gradient of the loss."""
        self.value.grad = gradient
        self._adam.step()
        self.value.grad = None

    def log(self) -> None:
        """Keep α as it is now in the history, at the end of an epoch."""
        self._history.append(self.value.detach().clone())

    @property
    def history(self) -> npt.NDArray[np.float32]:
        """α before the first and after each epoch, float32 [epochs + 1, edges, operations]."""
        history: npt.NDArray[np.float32] = torch.stack(self._history).numpy()
        return history

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on, at the end of an epoch, by name."""
        return {"history": torch.stack(self._history), **self._adam.state[self.value]}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken."""
        self._history = [alphas.clone() for alphas in state["history"]]
        with torch.no_grad():
            self.value.copy_(self._history[-1])
        self._adam.state[self.value] = {name: state[name].clone() for name in ("step", "exp_avg", "exp_avg_sq")}


def small_random(shape: tuple[int, int], recipe: AlphaRecipe, generator: torch.Generator) -> Tensor:
    """The start of DARTS and GDAS: normal around 0."""
    return recipe.alpha_scale * torch.randn(*shape, generator=generator)
