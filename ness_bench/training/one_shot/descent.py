"""What all ways to train a supernet share: images as tensors, shuffled batches, the steps on weights."""

import torch
from torch import Tensor, nn

from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.skeleton import require_fit
from ness_bench.networks.supernets import OneShotSkeleton
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.tensors import to_tensor


class Descent:
    """The steps of a recipe on a supernet's weights.

    Args:
        supernet: is updated in place.
        recipe: of the steps.
        steps: in the whole training.
    """

    def __init__(self, supernet: OneShotModel, recipe: WeightRecipe, steps: int) -> None:
        self._supernet = supernet
        self._weights = dict(supernet.named_parameters())
        self._clip = recipe.gradient_clip
        self._optimizer = torch.optim.SGD(
            self._weights.values(),
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, steps, recipe.final_learning_rate)

    def step(self, loss: Tensor) -> float:
        """Update the weights that the loss depends on; all others, and their momentum, stay as they are.

        Returns:
            The loss.
        """
        self._optimizer.zero_grad(set_to_none=True)  # the optimizer leaves alone what has no gradient
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._weights.values(), self._clip)
        self._optimizer.step()
        self._schedule.step()
        return loss.item()

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def momenta(self) -> list[Tensor]:
        """The momentum of each weight, in the order of the supernet's parameters; 0 before its first step."""
        held = (self._optimizer.state.get(weight, {}).get("momentum_buffer") for weight in self._weights.values())
        return [
            torch.zeros_like(weight) if momentum is None else momentum
            for weight, momentum in zip(self._weights.values(), held, strict=True)
        ]

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on, by name."""
        state = {f"weights.{name}": weight.detach() for name, weight in self._weights.items()}
        for name, weight in self._weights.items():
            if weight in self._optimizer.state:
                state[f"momentum.{name}"] = self._optimizer.state[weight]["momentum_buffer"]
        state["rate"] = torch.tensor(self.rate, dtype=torch.float64)
        state["steps"] = torch.tensor(self._schedule.last_epoch)
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken."""
        self._supernet.load_state_dict({name: state[f"weights.{name}"] for name in self._weights})
        for name, weight in self._weights.items():
            if f"momentum.{name}" in state:
                self._optimizer.state[weight]["momentum_buffer"] = state[f"momentum.{name}"].view_as(weight).clone()
        rate, steps = state["rate"].item(), int(state["steps"])
        self._optimizer.param_groups[0]["lr"] = rate
        # Each rate follows from the last one, so that a step's number alone would give it up to rounding only.
        told = {"last_epoch": steps, "_step_count": steps + 1, "_last_lr": [rate]}
        self._schedule.load_state_dict(self._schedule.state_dict() | told)


def train_tensors(data: DataSet, skeleton: OneShotSkeleton, at_least: int) -> tuple[Tensor, Tensor]:
    """The training images, normalised, and their labels.

    Raises:
        NessBenchError: the data set does not fit the skeleton, or has fewer than `at_least` training images.
    """
    require_fit(data, skeleton)
    if len(data.train) < at_least:
        raise NessBenchError(
            f"{len(data.train)} training images were given, but a step takes {at_least}; make the batch smaller"
        )
    return to_tensor(data.normalise(data.train.pixels)), torch.from_numpy(data.train.labels)


def shuffled(examples: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """Full batches of example indices in random order, int64 [batches, batch_size]."""
    order = torch.randperm(len(examples), generator=generator)
    full = len(examples) // batch_size * batch_size
    return examples[order[:full]].view(-1, batch_size)


def halves(examples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices of two random halves of the training images: for the weights and for α."""
    order = torch.randperm(examples, generator=generator)
    return order[: examples // 2], order[examples // 2 :]
