import numpy as np
import pytest

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.tasks.cost import CostModel

COST = CostModel(Skeleton(), 200_000)


def test_the_average_architecture_costs_one():
    """The definition of a training equivalent."""
    assert np.mean([COST.training(a) for a in architectures()]) == pytest.approx(1)


def test_a_forward_pass_over_the_training_run_is_a_third_of_it():
    architecture = (3, 1, 2, 3, 4, 0)
    assert COST.evaluation(architecture, 200_000) == pytest.approx(COST.training(architecture) / 3)


def test_a_single_path_supernet_costs_what_its_drawn_paths_do():
    """1,000 steps of uniformly drawn paths, charged one by one, against the price by expectation."""
    rng = np.random.default_rng(0)
    steps, batch = 1_000, 96
    drawn = [architectures()[row] for row in rng.integers(len(architectures()), size=steps)]
    one_by_one = [3 * COST.evaluation(architecture, batch) for architecture in drawn]
    error = np.std(one_by_one) * np.sqrt(steps)
    assert abs(sum(one_by_one) - COST.single_path_training(steps * batch)) < 4 * error


def test_a_mixed_supernet_costs_more_than_the_dearest_path():
    dearest = max(COST.training(a) for a in architectures())
    assert COST.mixed_training(200_000) > dearest
