"""NESS searches on one core: on the shipped bank, and from nothing at its scale."""

import time

import numpy as np
import pytest

from ness_bench.banks.named import open_named
from ness_bench.data import fashion_mnist
from ness_bench.methods.method import create
from ness_bench.networks.skeleton import Skeleton
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.live import LiveTask
from ness_bench.training.recipe import Recipe


@pytest.mark.parametrize("name", ["ness-mc", "ness-svgd-rd", "ness-svgd-predictions", "ness-k-dpp"])
def test_ness_on_the_bank(benchmark, name):
    benchmark.group = "a NESS search on the shipped bank, 5 members: posterior, 10 draws, selection"
    benchmark.extra_info["way"] = name
    bank = open_named("fashion")
    seeds = iter(range(100))

    def search():
        seed = next(seeds)
        create(name).search(BankTask.of(bank, 5, 40.0, seed), np.random.default_rng(seed))

    benchmark.pedantic(search, rounds=5, warmup_rounds=1)


def search_live(timed):
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
    benchmark.pedantic(search_live, (timed,), rounds=1)
    benchmark.extra_info["way"] = f"of it search {timed['search']:.1f} s"
