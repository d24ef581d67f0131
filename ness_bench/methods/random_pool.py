"""What several methods begin with: networks drawn at random and trained until the budget is spent."""

from collections.abc import Callable, Iterator

import numpy as np

from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Member, Task


def in_random_order(
    space: Space, network: Callable[[Architecture], Architecture], rng: np.random.Generator
) -> Iterator[Architecture]:
    """Architectures in random order, uniform over strings, of each network the first only.

    Args:
        space: to draw from.
        network: what stands for all architectures that are the same network; see `task.TrialTask`.
        rng: the only source of randomness.
    """
    seen = set()
    for row in rng.permutation(space.size):
        architecture = space.architectures[row]
        if network(architecture) not in seen:
            seen.add(network(architecture))
            yield architecture


def random_architectures(space: Space, rng: np.random.Generator) -> Iterator[Architecture]:
    """Functional classes, by their canonical architectures, in the random order in which strings meet them."""
    return map(space.canonical, in_random_order(space, space.canonical, rng))


def train_random_pool(task: Task, rng: np.random.Generator) -> list[Member]:
    """Train random architectures until the next one does not fit into the budget, or none is left.

    Raises:
        BudgetExhausted: not one fits.
    """
    pool: list[Member] = []
    for architecture in random_architectures(task.space, rng):
        try:
            pool.append(task.train(architecture))
        except BudgetExhausted:
            if not pool:
                raise
            break
    return pool


def require_members(task: Task, found: int) -> None:
    """Refuse to go on with fewer trained networks than an ensemble needs.

    Raises:
        BudgetExhausted: there are fewer.
    """
    if found < task.ensemble_size:
        raise BudgetExhausted(
            f"a budget of {task.budget.total:g} TE paid for {found} trained networks, "
            f"but an ensemble of {task.ensemble_size} was asked for; give a larger budget"
        )
