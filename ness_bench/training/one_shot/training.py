"""What every way to train a supernet is to the loop that runs it: epochs of steps, and a state to go on from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.networks.one_shot_model import OneShotModel


class Part(Protocol):
    """Something that changes from step to step."""

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on, at the end of an epoch, by name."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken."""


class Training(ABC):
    """A supernet in training.

    Two that were made with the same arguments take the same steps, bit for bit.

    Attributes:
        engine: "cpu" for compiled loops, "torch" for eager PyTorch.
        model: the supernet; its weights are those of the training once `finish` was called.
        generator: of all that is drawn.
        parts: what changes beside the generator, by name.
    """

    engine: str
    model: OneShotModel
    generator: torch.Generator
    parts: Mapping[str, Part]

    @abstractmethod
    def steps(self, epoch: int) -> Iterator[float]:
        """Take the steps of an epoch, the first of which is 1; the loss of each."""

    def finish(self) -> None:  # noqa: B027, most have nothing to do
        """Bring the model up to date."""

    @property
    def alphas(self) -> npt.NDArray[np.float32] | None:
        """α before the first and after each epoch, float32 [epochs + 1, edges, operations]; None without α."""
        return None

    def state(self) -> dict[str, Tensor]:
        """All that later epochs depend on, by name."""
        state = {"generator": self.generator.get_state()}
        for part, held in self.parts.items():
            state |= {f"{part}/{name}": value for name, value in held.state().items()}
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken, of a training made with the same arguments."""
        self.generator.set_state(state["generator"])
        for part, held in self.parts.items():
            prefix = f"{part}/"
            held.restore({n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)})


def require_torch(engine: str | None) -> str:
    """The engine of a training that only eager PyTorch can do.

    Raises:
        NessBenchError: another one was asked for.
    """
    if engine not in (None, "torch"):
        raise NessBenchError(f'this kind of supernet cannot be trained by the engine "{engine}"; choose "torch"')
    return "torch"
