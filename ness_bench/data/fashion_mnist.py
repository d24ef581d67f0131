"""Fashion-MNIST (Xiao, Rasul & Vollgraf, arXiv 1708.07747; MIT licence): the IDX files, and the shipped subset.

The subset is small enough to train thousands of networks on: 28×28 images are padded to 32×32 and
mean-pooled to 8×8; 10,000 train and 2,000 validation images are drawn without overlap from the
official train set, the test split is the whole official test set of 10,000.
"""

import gzip
import zlib
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
TRAIN_EXAMPLES, VAL_EXAMPLES = 10_000, 2_000


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, plain or gzipped.

    Raises:
        NessBenchError: the file is missing, is no IDX file of bytes, or is shorter or longer than its header says.
    """
    if not path.is_file():
        raise NessBenchError(f"{path} is missing; Fashion-MNIST's IDX files are expected there")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise NessBenchError(f"{path} cannot be decompressed ({error}); download it again") from None
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise NessBenchError(f"{path} is no IDX file of unsigned bytes: it begins with {content[:4].hex(' ')}")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4).astype(int)
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if body.size != shape.prod():
        raise NessBenchError(
            f"{path} should hold {shape.prod()} bytes of data but holds {body.size}; download it again"
        )
    return body.reshape(shape)


def _read_split(folder: Path, prefix: str) -> LabelledImages:
    def find(stem: str) -> Path:
        plain = folder / stem
        return plain if plain.is_file() else folder / f"{stem}.gz"

    pixels = read_idx(find(f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(find(f"{prefix}-labels-idx1-ubyte"))
    if pixels.shape[1:] != (28, 28):
        raise NessBenchError(f"{folder} holds {prefix} images of shape {pixels.shape[1:]}; Fashion-MNIST's are 28×28")
    if len(pixels) != len(labels):
        raise NessBenchError(f"{folder} holds {len(pixels)} {prefix} images but {len(labels)} labels")
    return LabelledImages(pixels[..., None], labels.astype(np.int64))


def shrink(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """28×28 images [examples, 28, 28, 1] padded with zeros to 32×32 and mean-pooled to 8×8."""
    padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)))
    pooled = padded.reshape(len(padded), 8, 4, 8, 4, 1).mean((2, 4))
    shrunk: npt.NDArray[np.uint8] = np.rint(pooled).astype(np.uint8)
    return shrunk


def from_idx(folder: Path) -> DataSet:
    """The subset described above, made from the four official IDX files in `folder` (`.gz` or not)."""
    train, test = _read_split(folder, "train"), _read_split(folder, "t10k")
    order = np.random.default_rng(0).permutation(len(train))
    picks = np.split(order[: TRAIN_EXAMPLES + VAL_EXAMPLES], [TRAIN_EXAMPLES])
    drawn = [LabelledImages(shrink(train.pixels[pick]), train.labels[pick]) for pick in picks]
    return DataSet("fashion", CLASS_NAMES, drawn[0], drawn[1], LabelledImages(shrink(test.pixels), test.labels))


_SHIPPED = files("ness_bench.data") / "fashion_mnist_subset" / "subset.npz"


def load() -> DataSet:
    """The shipped subset: equal to `from_idx` of the official files."""
    with as_file(_SHIPPED) as path, np.load(path, allow_pickle=False) as arrays:
        train, val, test = (
            LabelledImages(arrays[f"{split}_pixels"], arrays[f"{split}_labels"].astype(np.int64))
            for split in ("train", "val", "test")
        )
    return DataSet("fashion", CLASS_NAMES, train, val, test)
