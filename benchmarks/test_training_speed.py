"""The CPU engine against eager PyTorch: process CPU seconds of the same trainings, one thread each, in one run.

Run with ``pytest benchmarks/test_training_speed.py -s``.
"""

from dataclasses import replace

import numpy as np

from ness_bench.data import fashion_mnist
from ness_bench.data.images import LabelledImages
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import RESNET, architectures, to_string
from ness_bench.training.fit import fit
from ness_bench.training.recipe import Recipe

EPOCHS = 2


def first(split, examples):
    return LabelledImages(split.pixels[:examples], split.labels[:examples])


def test_the_cpu_engine_is_several_times_faster_than_eager_pytorch():
    data = fashion_mnist.load()
    data = replace(data, train=first(data.train, 960), val=first(data.val, 96), test=first(data.test, 96))
    recipe = Recipe(epochs=EPOCHS)
    ratios = []
    for architecture in (RESNET, *architectures()[:5]):
        seconds = {}
        for engine in ("cpu", "torch"):
            fit(architecture, data, Skeleton(), replace(recipe, epochs=1), 0, engine=engine)  # compiles, warms caches
            seconds[engine] = fit(architecture, data, Skeleton(), recipe, 0, engine=engine).cpu_seconds
        ratios.append(seconds["torch"] / seconds["cpu"])
        print(
            f"{to_string(architecture)}: {1e3 * seconds['cpu'] / EPOCHS:.1f} ms an epoch of 960 images, "
            f"PyTorch {1e3 * seconds['torch'] / EPOCHS:.1f} ms, ratio {ratios[-1]:.1f}"
        )
    print(f"mean ratio {np.mean(ratios):.1f}")
    assert np.mean(ratios) > 6
