"""An image data set as a value: three splits of uint8 images with their labels."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError


@dataclass(frozen=True)
class LabelledImages:
    """One split.

    Attributes:
        pixels: uint8 [examples, height, width, channels].
        labels: int64 [examples], class indices from 0.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, examples: int) -> "LabelledImages":
        """The split cut to its first examples."""
        return LabelledImages(self.pixels[:examples], self.labels[:examples])

    def shuffled(self) -> "LabelledImages":
        """The split in a random order, always the same: its first examples are then a fair sample of it."""
        order = np.random.default_rng(0).permutation(len(self))
        return LabelledImages(self.pixels[order], self.labels[order])


def hold_out(images: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """(train, val) from shuffled training images: val is the last tenth of them, at most 5,000.

    Raises:
        NessBenchError: there are fewer than 10 images.
    """
    val = min(len(images) // 10, 5_000)
    if val == 0:
        raise NessBenchError(
            f"a tenth of {len(images)} training images cannot be taken for val; give 10 or more, or a val split"
        )
    return images.first(len(images) - val), LabelledImages(images.pixels[-val:], images.labels[-val:])


@dataclass(frozen=True)
class DataSet:
    """A data set split into `train`, `val` and `test`; only the harness looks at `test`."""

    name: str
    class_names: tuple[str, ...]
    train: LabelledImages
    val: LabelledImages
    test: LabelledImages

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all images and labels."""
        return digest_of(self.train, self.val, self.test)

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pixels to zero mean and unit variance per channel, by the statistics of the train split.

        Args:
            pixels: uint8 [examples, height, width, channels].

        Returns:
            float32 of the same shape.
        """
        normalised = np.empty(pixels.shape, np.float32)
        for part in _parts(pixels):
            for channel, values in enumerate(self._normalised_values):
                normalised[part, ..., channel] = values[pixels[part, ..., channel]]
        return normalised

    @cached_property
    def _normalised_values(self) -> npt.NDArray[np.float32]:
        """What each of the 256 pixel values becomes, float32 [channels, 256]; statistics are of float64."""
        mean, std = channel_statistics(self.train.pixels)
        normalised: npt.NDArray[np.float32] = ((np.arange(256) - mean[:, None]) / std[:, None]).astype(np.float32)
        return normalised


def channel_statistics(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each channel, float64 [channels] each, on the scale 0 to 255.

    Args:
        pixels: uint8 [examples, height, width, channels].
    """
    values, counts = np.arange(256), np.zeros((pixels.shape[-1], 256), np.int64)
    for part in _parts(pixels):
        for channel, count in enumerate(counts):
            count += np.bincount(pixels[part, ..., channel].ravel(), minlength=256)
    mean = counts @ values / counts.sum(1)
    std = np.sqrt((counts * (values - mean[:, None]) ** 2).sum(1) / counts.sum(1))
    return mean, std


def digest_of(*splits: LabelledImages) -> str:
    """SHA-256 of the images and labels of some splits, in their order, in hexadecimal."""
    content = hashlib.sha256()
    for split in splits:
        content.update(str(split.pixels.shape).encode())
        content.update(np.ascontiguousarray(split.pixels).data)
        content.update(np.ascontiguousarray(split.labels).data)
    return content.hexdigest()


def _parts(pixels: npt.NDArray[np.uint8]) -> Iterator[slice]:
    """Runs of examples, so that what is wider than a byte is never made for all of them at once."""
    return (slice(start, start + 1_000) for start in range(0, len(pixels), 1_000))
