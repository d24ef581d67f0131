"""Splits are divisions: nothing is lost, nothing is on both sides, sizes are those of the published tables."""

import numpy as np
import pytest
from image_files import cifar100_files, write_pickles

from ness_bench.data.images import LabelledImages
from ness_bench.data.named import load_named
from ness_bench.data.official import Official
from ness_bench.data.splits import SPLITS, split_as
from ness_bench.errors import NessBenchError
from ness_bench.tables.table import EXAMPLES

OFFICIAL = {"cifar10": (50_000, 10_000), "cifar100": (50_000, 10_000), "imagenet16-120": (151_700, 6_000)}


def numbered(first, images):
    """Images of three pixels that spell their number."""
    numbers = np.arange(first, first + images, dtype=">u4")
    return LabelledImages(numbers.view(np.uint8).reshape(-1, 2, 2, 1), np.arange(images) % 10)


def numbers(images):
    return np.ascontiguousarray(images.pixels).reshape(-1, 4).view(">u4").ravel().tolist()


@pytest.mark.parametrize("split", SPLITS)
def test_sizes_and_sides(split):
    train, test = OFFICIAL[SPLITS[split]]
    official = Official(SPLITS[split], tuple("0123456789"), numbered(0, train), numbered(train, test))
    data = split_as(split, official)
    found = {name: numbers(getattr(data, name)) for name in ("train", "val", "test")}
    sizes = {name: len(images) for name, images in found.items() if images}
    assert sizes == {name: images for name, images in EXAMPLES[split].items() if name != "val+test"}
    from_train = found["train"] + (found["val"] if split == "cifar10-valid" else [])
    from_test = found["test"] + (found["val"] if split != "cifar10-valid" else [])
    assert sorted(from_train) == list(range(train))  # each once
    assert sorted(from_test) == list(range(train, train + test))
    for name in sizes:
        shares = np.bincount(getattr(data, name).labels) / sizes[name]
        assert abs(shares - 0.1).max() < 0.025  # a fair draw: no side lacks a class
    assert split_as(split, official).digest == data.digest


def test_a_split_of_a_path(tmp_path):
    folder = write_pickles(tmp_path / "cifar-100-python", cifar100_files())
    data = load_named(str(folder), split="cifar100")
    assert (data.name, len(data.train), len(data.val), len(data.test)) == ("cifar100", 200, 50, 50)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("cifar10-vaild", 'unknown split "cifar10-vaild"; did you mean "cifar10-valid"'),
        ("cifar10", "the split cifar10 is one of cifar10; those of cifar100: cifar100"),
    ],
)
def test_a_split_of_something_else(tmp_path, split, message):
    folder = write_pickles(tmp_path / "cifar-100-python", cifar100_files())
    with pytest.raises(NessBenchError, match=message):
        load_named(str(folder), split=split)
    with pytest.raises(NessBenchError, match="fashion has no split"):
        load_named("fashion", split=split)
