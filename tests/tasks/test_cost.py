import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.tasks.cost import CostModel

COST = CostModel.of("measured", Skeleton(), 200_000, 2_000)
FULL = CostModel.of("nas-bench-201", Skeleton(), 200_000, 2_000)


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


def test_supernets_cost_what_their_passes_do():
    """In training passes of the members' data set, single-path or mixed."""
    mixed = mixed_flops(Skeleton()) / mean_flops(Skeleton())
    passes = {"uniform": 1, "rsps": 0.5, "gdas": 1, "darts": mixed, "snas": mixed, "darts-v2": 2.5 * mixed}
    for kind, expected in passes.items():
        assert COST.supernet(kind, 200_000) == pytest.approx(expected)


def test_at_full_scale_supernets_cost_what_was_published_whatever_is_trained():
    """250 epochs of 25,000 images against 200 of 50,000 are .625."""
    skeleton = Skeleton(16, 5, 3, 10, 32)
    assert FULL.supernet("uniform", 1) == FULL.supernet("uniform", 10**9) == pytest.approx(0.625)
    assert FULL.supernet("rsps", 1) == pytest.approx(0.625)
    assert FULL.supernet("darts", 1) == pytest.approx(0.25 * mixed_flops(skeleton) / mean_flops(skeleton))
    assert np.mean([FULL.training(a) for a in architectures()]) == pytest.approx(1)


def test_at_full_scale_the_validation_split_is_one_of_25_000_images():
    architecture = (3, 1, 2, 3, 4, 0)
    whole = FULL.evaluation(architecture, 2_000)
    assert whole == pytest.approx(FULL.training(architecture) * 25_000 / (3 * 200 * 50_000))
    assert FULL.mixed_gradient(2_000) == pytest.approx(FULL.mixed_training(25_000))


def test_an_unknown_cost_model_is_refused():
    with pytest.raises(NessBenchError, match='did you mean "measured"'):
        CostModel.of("mesured", Skeleton(), 200_000, 2_000)
