"""Data sets by name or by path: all that may be asked for."""

import os
from dataclasses import replace
from pathlib import Path

from ness_bench.data import cifar10, fashion_mnist, npz
from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError, nearest

HOME = "NESS_BENCH_DATA"
"""The environment variable that names the folder of downloaded data sets; `data` where it is not set."""


def load_named(name: str) -> DataSet:
    """The data set of that name.

    Args:
        name: `fashion`, the shipped subset; `cifar10`, looked for in the folder of downloaded data sets; or
            a path: a `.npz` file (see `npz`), CIFAR-10's folder or `.tar.gz` archive, a folder with either in
            it, or a folder with Fashion-MNIST's IDX files.

    Raises:
        NessBenchError: nothing of the kind is there, or a file is damaged.
    """
    if name == "fashion":
        return fashion_mnist.load()
    if name == "cifar10":
        return _downloaded_cifar10()
    path = Path(name)
    if path.suffix == ".npz":
        return npz.load(path)
    if found := cifar10.find(path):
        return cifar10.load(found)
    if any(path.glob("*-ubyte*")):
        return fashion_mnist.from_idx(path)
    raise NessBenchError(
        f'unknown data set "{name}"{nearest(name, ["fashion", "cifar10"])}; give fashion, cifar10, a .npz file of '
        f"your own images, or a folder that holds {cifar10.FOLDER}, {cifar10.ARCHIVE} or Fashion-MNIST's IDX files"
    )


def load_first(name: str, train_examples: int | None = None, val_examples: int | None = None) -> DataSet:
    """The data set of that name, train and val cut to their first examples, and fit to be trained on.

    Args:
        train_examples: None for 10,000, or all if there are fewer.
        val_examples: None for 2,000, or all.

    Raises:
        NessBenchError: as `load_named`; or there are not so many examples, or those of train lack a class or do not
            differ in a channel.
    """
    data = load_named(name)
    most = {"train": len(data.train), "val": len(data.val)}
    asked = {
        "train": min(10_000, most["train"]) if train_examples is None else train_examples,
        "val": min(2_000, most["val"]) if val_examples is None else val_examples,
    }
    for split, examples in asked.items():
        if not 1 <= examples <= most[split]:
            raise NessBenchError(f"{examples} {split} examples were asked for; {name} has 1 to {most[split]}")
    train = data.train.first(asked["train"])
    absent = sorted(set(range(len(data.class_names))) - set(train.labels.tolist()))
    if absent:
        raise NessBenchError(
            f"the first {len(train)} train examples of {name} hold none of class {data.class_names[absent[0]]}; "
            "give more train examples"
        )
    if (train.pixels.reshape(-1, train.pixels.shape[-1]).std(0) == 0).any():
        raise NessBenchError(
            f"a channel of the first {len(train)} train examples of {name} is the same everywhere; leave it out, "
            "or give more train examples"
        )
    return replace(data, train=train, val=data.val.first(asked["val"]))


def _downloaded_cifar10() -> DataSet:
    home = Path(os.environ.get(HOME) or "data").absolute()
    if found := cifar10.find(home):
        return cifar10.load(found)
    raise NessBenchError(
        f"CIFAR-10 is not in {home}; download {cifar10.DOWNLOAD} into it, unpack it or not, "
        f"or name the folder that it lies in by the environment variable {HOME}"
    )
