"""An image data set as a value: three splits of uint8 images with their labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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


@dataclass(frozen=True)
class DataSet:
    """A data set split into `train`, `val` and `test`; only the harness looks at `test`."""

    name: str
    class_names: tuple[str, ...]
    train: LabelledImages
    val: LabelledImages
    test: LabelledImages

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pixels to zero mean and unit variance per channel, by the statistics of the train split.

        Args:
            pixels: uint8 [examples, height, width, channels].

        Returns:
            float32 of the same shape.
        """
        train = self.train.pixels.astype(np.float64)
        mean, std = train.mean((0, 1, 2)), train.std((0, 1, 2))
        normalised: npt.NDArray[np.float32] = ((pixels - mean) / std).astype(np.float32)
        return normalised
