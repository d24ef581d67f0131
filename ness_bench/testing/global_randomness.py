"""The random generators that a process shares: Python's, NumPy's and, where it is loaded, PyTorch's."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# ruff: noqa: NPY002 - the legacy generator is what is watched here


@contextmanager
def globally_seeded(seed: int) -> Iterator[None]:
    """All of them seeded alike; afterwards they are in the state they were in."""
    python, legacy, torch = random.getstate(), np.random.get_state(), _torch()
    of_torch = None if torch is None else torch.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        if torch is not None:
            torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        if torch is not None:
            torch.set_rng_state(of_torch)


def global_states() -> tuple[object, ...]:
    """What state each is in; equal if no number was drawn in between."""
    legacy = np.random.get_state(legacy=False)
    assert isinstance(legacy, dict), "asked for so"
    numpy = (legacy["state"]["key"].tobytes(), legacy["state"]["pos"], legacy["has_gauss"], legacy["gauss"])
    torch = _torch()
    return random.getstate(), numpy, None if torch is None else torch.get_rng_state().numpy().tobytes()


def _torch() -> Any:
    return sys.modules.get("torch")
