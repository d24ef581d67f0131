"""Files in the official formats, written by the official packages' own classes, of made-up numbers."""

import bz2
import pickle
from collections import OrderedDict
from dataclasses import fields
from functools import cache

import nats_bench
import numpy as np

from ness_bench.spaces.nas_bench_201 import architectures, to_string
from ness_bench.tables.table import Networks

STRINGS = [to_string(architecture) for architecture in architectures()]

EVALUATED = {  # data set: what is evaluated; in runs of 200 epochs, after which of them
    "cifar10-valid": {"x-valid": range(200), "ori-test": [199]},
    "cifar10": {"ori-test": range(200)},
    "cifar100": {"ori-test": range(200), "x-valid": [199], "x-test": [199]},
    "ImageNet16-120": {"ori-test": range(200), "x-valid": [199], "x-test": [199]},
}


def states(index, seeds=(777, 888, 999), names=("12", "200"), package=nats_bench):
    """What the official files hold of an architecture; its numbers follow from its index."""
    random = np.random.default_rng(index)
    short = {dataset: (111, 777) if dataset == "cifar10-valid" else (111,) for dataset in EVALUATED}
    return OrderedDict(
        {
            names[0]: _state(package.api_utils, index, 12, short, random),
            names[1]: _state(package.api_utils, index, 200, dict.fromkeys(EVALUATED, seeds), random),
        }
    )


def _state(classes, index, epochs, seeds, random):
    results, latency = classes.ArchResults(index, STRINGS[index]), np.float64(random.uniform(0.01, 0.02))
    for dataset in EVALUATED:
        for seed in seeds[dataset]:
            results.update(dataset, seed, _result(classes, dataset, index, seed, epochs, latency, random))
    results.clear_params()
    return results.state_dict()


def _result(classes, dataset, index, seed, epochs, latency, random):
    def curve(after=range(epochs)):
        return {epoch: float(random.uniform(0, 100)) for epoch in after}

    config = {"channel": 16, "num_cells": 5, "arch_str": STRINGS[index], "class_num": 10}
    sizes = np.float64((100_000 + index + 10 * len(dataset)) / 1e6), (8_000_000 + index) / 1e6
    result = classes.ResultsCount(dataset, None, {}, {}, *sizes, config, f"{seed:04d}", epochs, [latency])
    result.update_train_info(curve(), curve() if epochs == 12 else None, curve(), None)
    result.reset_pseudo_train_times(float(random.uniform(5, 50)))
    for name, after in EVALUATED[dataset].items():
        result.update_OLD_eval(name, *(curve(range(epochs) if epochs == 12 else after) for _ in range(2)))
        result.reset_pseudo_eval_times(name, float(random.uniform(0.5, 3)))
    return result


def content(of_architectures):
    """Of a single file, given states by index."""
    return {
        "meta_archs": STRINGS,
        "total_archs": len(STRINGS),
        "arch2infos": dict(of_architectures),
        "evaluated_indexes": set(of_architectures),
    }


def write_file(path, held, protocol=4):
    """Compressed as NATS-Bench's are."""
    path.write_bytes(bz2.compress(pickle.dumps(held, protocol)))


@cache
def _meta():
    return bz2.compress(pickle.dumps(content({}) | {"arch2infos": None}, 4))


def write_folder(folder, of_architectures):
    folder.mkdir()
    (folder / "meta.pickle.pbz2").write_bytes(_meta())
    for index, of_one in of_architectures.items():
        write_file(folder / f"{index:06d}.pickle.pbz2", of_one)


def numbers(table):
    """All that a table holds, by name, to compare tables by."""
    held = {"rows": table.architectures}
    for (training_set, epochs), run in table.runs.items():
        held[training_set, epochs] = run.seeds
        held[training_set, epochs, "train seconds"] = run.train_seconds
        held |= {(training_set, epochs, "accuracy", split): array for split, array in run.accuracy.items()}
        held |= {(training_set, epochs, "seconds", split): array for split, array in run.evaluation_seconds.items()}
    for training_set, networks in table.networks.items():
        held |= {(training_set, one.name): getattr(networks, one.name) for one in fields(Networks)}
    return held
