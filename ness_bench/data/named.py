"""Data sets by name or by path: all that may be asked for."""

import os
from dataclasses import replace
from pathlib import Path

from ness_bench.data import cifar10, cifar100, fashion_mnist, imagenet16_120, npz
from ness_bench.data.batches import Batches
from ness_bench.data.images import DataSet
from ness_bench.data.official import Official
from ness_bench.data.splits import require_split_of, split_as
from ness_bench.errors import NessBenchError, nearest

HOME = "NESS_BENCH_DATA"
"""The environment variable that names the folder of downloaded data sets; `data` where it is not set."""

BATCHES = {batches.name: batches for batches in (cifar10.BATCHES, cifar100.BATCHES, imagenet16_120.BATCHES)}
"""The data sets that are published as batches, by name."""


def home() -> Path:
    """The folder of downloaded data sets, absolute."""
    return Path(os.environ.get(HOME) or "data").absolute()


def load_named(name: str, split: str | None = None) -> DataSet:
    """The data set of that name.

    Args:
        name: `fashion`, the shipped subset; `cifar10`, `cifar100` or `imagenet16-120`, looked for in the folder of
            downloaded data sets; `fashion-mnist`, the same subset, made from the official files there; or a path: a
            `.npz` file (see `npz`), the official folder or archive of one of the three, a folder with either in it, or
            a folder with Fashion-MNIST's IDX files.
        split: None, val is then held out of train (see `hold_out`) where none is published, and test is the official
            test set; or one of NAS-Bench-201's splits of the data set, see `splits`.

    Raises:
        NessBenchError: nothing of the kind is there, a file is damaged, a folder holds several data sets, or the split
            is none of this data set.
    """
    if name == "fashion" or name.endswith(".npz"):
        _no_split_of(name, split)
        return fashion_mnist.load() if name == "fashion" else npz.load(Path(name))
    found, place = locate(name)
    if found == "fashion-mnist":
        _no_split_of(name, split)
        return fashion_mnist.from_idx(place)
    if split is not None:
        require_split_of(found, split)
        return split_as(split, _read(found, place))
    if found == "cifar10":
        return cifar10.load(place)
    return _read(found, place).with_val_held_out()


def locate(name: str) -> tuple[str, Path]:
    """Which official data set a name or path means, and the folder or archive that it lies in.

    Returns:
        `cifar10`, `cifar100`, `imagenet16-120` or `fashion-mnist`, and the place.

    Raises:
        NessBenchError: nothing is there, or several data sets are.
    """
    if name in BATCHES:
        return name, _downloaded(BATCHES[name])
    if name == "fashion-mnist":
        return name, _downloaded_fashion_mnist()
    path = Path(name)
    found = {}
    for batches in BATCHES.values():
        if place := _find(batches, path):
            found[batches.name] = place
    if any(path.glob("*-ubyte*")):
        found["fashion-mnist"] = path
    if len(found) == 1:
        return found.popitem()
    if found:
        places = ", ".join(f"{title} ({place})" for title, place in found.items())
        raise NessBenchError(f"{name} holds several data sets: {places}; give the path of one of them")
    known = ["fashion", *BATCHES, "fashion-mnist"]
    raise NessBenchError(
        f'unknown data set "{name}"{nearest(name, known)}; give {", ".join(known)}, a .npz file of your own images, '
        "or a folder that holds "
        + ", ".join(place for batches in BATCHES.values() for place in (batches.folder, batches.archive) if place)
        + " or Fashion-MNIST's IDX files"
    )


def _read(name: str, place: Path) -> Official:
    return imagenet16_120.read(place) if name == "imagenet16-120" else BATCHES[name].read(place)


def _no_split_of(name: str, split: str | None) -> None:
    if split is not None:
        raise NessBenchError(f"{name} has no split {split}; leave the split out")


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


def _downloaded(batches: Batches) -> Path:
    if found := _find(batches, home()):
        return found
    how = "" if batches.archive is None else f" (`ness-bench data fetch {batches.name}` does), unpack it or not"
    raise NessBenchError(
        f"{batches.title} is not in {home()}; download {batches.source} into it{how}, "
        f"or name the folder that it lies in by the environment variable {HOME}"
    )


def _downloaded_fashion_mnist() -> Path:
    folder = home() / fashion_mnist.FOLDER
    if any(folder.glob("*-ubyte*")):
        return folder
    raise NessBenchError(
        f"Fashion-MNIST's IDX files are not in {folder}; `ness-bench data fetch fashion-mnist` downloads them, "
        f"or name the folder that {fashion_mnist.FOLDER} lies in by the environment variable {HOME}"
    )


def _find(batches: Batches, path: Path) -> Path | None:
    return cifar10.find(path) if batches is cifar10.BATCHES else batches.find(path)
