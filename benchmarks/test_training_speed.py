"""The CPU engine against eager PyTorch, one thread each, side by side.

All at the shipped scale: images of 8×8, C=4, N=3.
"""

from dataclasses import replace

import pytest
import torch

from ness_bench.data import fashion_mnist
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import RESNET, architectures
from ness_bench.training.fit import fit
from ness_bench.training.one_shot import inherited, kinds
from ness_bench.training.recipe import Recipe

ARCHITECTURES = {"residual block": RESNET, "all 3x3": (3,) * 6, "mixed": (3, 1, 2, 4, 3, 1)}
SKELETON = Skeleton()

both_engines = pytest.mark.parametrize("engine", ["cpu", "torch"])


@pytest.fixture(scope="module")
def data():
    shipped = fashion_mnist.load()
    return replace(shipped, val=shipped.val.first(1_000), test=shipped.test.first(96))


def measure(benchmark, engine, floor, function, *arguments):
    """Five calls, after one that compiles; the CPU engine's floor is given."""
    benchmark.extra_info |= {"way": engine, "floor": floor if engine == "cpu" else 1}
    benchmark.pedantic(function, arguments, {"engine": engine}, rounds=5, warmup_rounds=1)


@both_engines
@pytest.mark.parametrize("name", [pytest.param("residual block", marks=pytest.mark.quick), "all 3x3", "mixed"])
def test_a_member(benchmark, data, name, engine):
    few = replace(data, train=data.train.first(960), val=data.val.first(96))
    benchmark.group = f"one epoch of 960 images, {name}"
    measure(benchmark, engine, 4, fit, ARCHITECTURES[name], few, SKELETON, Recipe(epochs=1), 0)


@pytest.mark.quick
@both_engines
def test_a_supernet(benchmark, data, engine):
    few = replace(data, train=data.train.first(960))
    benchmark.group = "a single-path step of a supernet on 32 images"
    benchmark.extra_info["items"] = 30
    measure(benchmark, engine, 4, kinds.train, "uniform", few, SKELETON, kinds.recipe_of("uniform", epochs=1), 0)


@pytest.mark.quick
@both_engines
def test_inherited_weights(benchmark, data, engine):
    supernet = Supernet(SKELETON, torch.Generator().manual_seed(0))
    images = data.normalise(data.val.pixels)
    benchmark.group = "predicting 1,000 images with inherited weights"
    benchmark.extra_info["items"] = 20

    def predict(engine):
        for _ in inherited.predictions(supernet, architectures()[:20], images, engine=engine):
            pass

    measure(benchmark, engine, 3, predict)
