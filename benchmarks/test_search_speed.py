"""A NESS search from nothing at the shipped scale, on one core: supernet, posterior, sampling, selection, members."""

import time

import numpy as np

from ness_bench.data import fashion_mnist
from ness_bench.methods.method import create
from ness_bench.networks.skeleton import Skeleton
from ness_bench.tasks.live import LiveTask
from ness_bench.training.recipe import Recipe


def search(timed):
    data = fashion_mnist.load()
    task = LiveTask(data, Skeleton(), Recipe(), ensemble_size=3, budget=20.0)
    train, begin = task.train, time.perf_counter()

    def timed_train(architecture, seed=None):
        timed.setdefault("search", time.perf_counter() - begin)
        return train(architecture, seed)

    task.train = timed_train
    create("ness-svgd-rd", {}).search(task, np.random.default_rng(0))


def test_ness_from_nothing(benchmark):
    benchmark.group = "a NESS search from nothing, 3 members, supernet of 80 epochs (800,000 image passes)"
    timed = {}
    benchmark.pedantic(search, (timed,), rounds=1)
    benchmark.extra_info["way"] = f"of it search {timed['search']:.1f} s"
