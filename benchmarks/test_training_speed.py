"""The CPU engine against eager PyTorch, one thread each, side by side; the ratio stands in brackets."""

from dataclasses import replace

import pytest

from ness_bench.data import fashion_mnist
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import RESNET
from ness_bench.training.fit import fit
from ness_bench.training.recipe import Recipe

ARCHITECTURES = {"residual block": RESNET, "all 3x3": (3,) * 6, "mixed": (3, 1, 2, 4, 3, 1)}


@pytest.mark.parametrize("engine", ["cpu", "torch"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_epoch_at_the_shipped_scale(benchmark, name, engine):
    """960 images of 8×8, C=4, N=3, batch 96."""
    data = fashion_mnist.load()
    data = replace(data, train=data.train.first(960), val=data.val.first(96), test=data.test.first(96))
    benchmark.group = f"one epoch of 960 images, {name}"
    benchmark.pedantic(
        fit,
        (ARCHITECTURES[name], data, Skeleton(), Recipe(epochs=1), 0),
        {"engine": engine},
        rounds=5,
        warmup_rounds=1,  # compiles
    )
