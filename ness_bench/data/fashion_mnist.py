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
from ness_bench.data.official import Official
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
MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
"""The official files with their published sums."""
FOLDER = "fashion-mnist"
"""Where `ness-bench data fetch` puts them: MNIST's files have the same names."""


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
    """A split at full resolution, [images, 28, 28, 1]; `prefix` is `train` or `t10k`."""
    pixels = read_idx(_file(folder, f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_file(folder, f"{prefix}-labels-idx1-ubyte"))
    if pixels.shape[1:] != (28, 28):
        raise NessBenchError(f"{folder} holds {prefix} images of shape {pixels.shape[1:]}; Fashion-MNIST's are 28×28")
    if labels.shape != (len(pixels),):
        raise NessBenchError(f"{folder} holds {len(pixels)} {prefix} images but {len(labels)} labels")
    if labels.max(initial=0) >= len(CLASS_NAMES):
        raise NessBenchError(f"{folder} has a {prefix} image with the label {labels.max()}; allowed: 0 to 9")
    return LabelledImages(pixels[..., None], labels.astype(np.int64))


def _file(folder: Path, stem: str) -> Path:
    plain = folder / stem
    return plain if plain.is_file() else folder / f"{stem}.gz"


def read_with_faults(folder: Path) -> tuple[Official | None, list[str]]:
    """The official 28×28 images in a folder of IDX files, None if not all can be read, and what is wrong with them."""
    faults: dict[str, None] = {}  # each once, in order
    splits = []
    for prefix in ("train", "t10k"):
        for stem in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"):
            try:
                read_idx(_file(folder, stem))
            except NessBenchError as error:
                faults[str(error)] = None
        try:
            splits.append(_read_split(folder, prefix))
        except NessBenchError as error:
            faults[str(error)] = None
    return (None if faults else Official("fashion-mnist", CLASS_NAMES, *splits)), list(faults)


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
