import gzip
from pathlib import Path

import numpy as np
import pytest
from image_files import write_idx

from ness_bench.data import fashion_mnist
from ness_bench.errors import NessBenchError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def test_the_shipped_subset_has_the_promised_shape():
    data = fashion_mnist.load()
    shapes = {"train": (10_000, 8, 8, 1), "val": (2_000, 8, 8, 1), "test": (10_000, 8, 8, 1)}
    for split, shape in shapes.items():
        images = getattr(data, split)
        assert images.pixels.shape == shape
        assert images.pixels.dtype == np.uint8
        assert len(images.labels) == shape[0]
    assert np.array_equal(np.bincount(data.test.labels), [1_000] * 10)  # the official test set is balanced
    assert np.bincount(data.train.labels, minlength=10).min() > 900
    normalised = data.normalise(data.train.pixels)
    assert abs(normalised.mean()) < 1e-4
    assert abs(normalised.std() - 1) < 1e-4


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_the_shipped_subset_is_made_from_the_official_files():
    shipped, made = fashion_mnist.load(), fashion_mnist.from_idx(DEBIAN)
    for split in ("train", "val", "test"):
        assert np.array_equal(getattr(shipped, split).pixels, getattr(made, split).pixels)
        assert np.array_equal(getattr(shipped, split).labels, getattr(made, split).labels)


def test_shrinking_pads_by_two_and_averages_blocks_of_four():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    padded = np.zeros((32, 32))
    padded[2:30, 2:30] = pixels[1, :, :, 0]
    shrunk = fashion_mnist.shrink(pixels)
    for row, column in ((0, 0), (3, 5), (7, 7)):
        block = padded[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert shrunk[1, row, column, 0] == np.rint(block.mean())


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_round_trip(tmp_path, suffix):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path / f"file{suffix}", array)
    assert np.array_equal(fashion_mnist.read_idx(tmp_path / f"file{suffix}"), array)


def test_damaged_files_are_named(tmp_path):
    with pytest.raises(NessBenchError, match=r"train-images-idx3-ubyte\.gz is missing"):
        fashion_mnist.from_idx(tmp_path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(NessBenchError, match="no IDX file"):
        fashion_mnist.read_idx(tmp_path / "text")
    write_idx(tmp_path / "short", np.zeros((4, 4)))
    (tmp_path / "short").write_bytes((tmp_path / "short").read_bytes()[:-1])
    with pytest.raises(NessBenchError, match="should hold 16 bytes of data but holds 15"):
        fashion_mnist.read_idx(tmp_path / "short")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + bytes(100))[:-9])
    with pytest.raises(NessBenchError, match="cannot be decompressed"):
        fashion_mnist.read_idx(tmp_path / "cut.gz")
