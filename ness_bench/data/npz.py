"""A user's own images: one `.npz` file, as `numpy.savez` writes it, with the arrays

    train_images, train_labels
    val_images, val_labels      may be left out; val is then held out of train, see `hold_out`
    test_images, test_labels
    class_names                 may be left out; classes are then called 0, 1, …

and no others. Keras's names x_train, y_train, … will do as well. Images are uint8 from 0 to 255, square, of
1 or 3 channels: [examples, size, size, channels], [examples, channels, size, size] or [examples, size, size].
Where 4 axes allow both readings, as in [examples, 3, 3, 3], channels come last. Labels are integers
[examples] or [examples, 1] from 0 to classes - 1, and train has images of every class. Names are strings
[classes].

Files are often sorted by class and banks take the first images of train and test: both are shuffled.
"""

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ness_bench.data.images import DataSet, LabelledImages, hold_out
from ness_bench.errors import NessBenchError

_DAMAGE = (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)  # as numpy's reader tells it


def load(path: Path) -> DataSet:
    """The data set in a `.npz` file, named after the file.

    Raises:
        NessBenchError: the file is missing, damaged, or not as described above; the message names the array.
    """
    arrays = _read(path)
    images_of, labels_of = ("x_{}", "y_{}") if "x_train" in arrays else ("{}_images", "{}_labels")
    has_val = images_of.format("val") in arrays or labels_of.format("val") in arrays
    names = {
        split: (images_of.format(split), labels_of.format(split))
        for split in ("train", "val", "test")
        if has_val or split != "val"
    }
    _check_names(path, arrays, [name for pair in names.values() for name in pair])

    splits = {}
    for split, (images, labels) in names.items():
        pixels = _pixels(f"{path}: {images}", arrays[images])
        splits[split] = LabelledImages(pixels, _labels(f"{path}: {labels}", arrays[labels], len(pixels))).shuffled()
    shapes = {split: images.pixels.shape[1:] for split, images in splits.items()}
    if len(set(shapes.values())) > 1:
        raise NessBenchError(f"{path} has images of different shapes, {shapes}; give all splits the same")
    if not has_val:
        splits["train"], splits["val"] = hold_out(splits["train"])
    _check_channels(path, splits["train"].pixels)
    return DataSet(path.stem, _class_names(path, arrays.get("class_names"), splits), **splits)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        raise NessBenchError(f"{path} is missing; give a .npz file that is there")
    try:
        file = np.load(path, allow_pickle=False)
    except _DAMAGE:
        file = None
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise NessBenchError(f"{path} is no .npz file, or it is cut short; write it again with numpy.savez")
    arrays = {}
    with file:
        for name in file.files:
            try:
                arrays[name] = np.asarray(file[name])
            except _DAMAGE as error:
                raise NessBenchError(
                    f"{path}: {name} cannot be read ({error}); write it again with numpy.savez, without Python objects"
                ) from None
    return arrays


def _check_names(path: Path, given: Collection[str], needed: list[str]) -> None:
    missing = [name for name in needed if name not in given]
    if missing:
        raise NessBenchError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(given) or 'no arrays'}")
    unknown = [name for name in given if name not in [*needed, "class_names"]]
    if unknown:
        raise NessBenchError(
            f"{path} holds {', '.join(unknown)}, which mean nothing beside {', '.join(needed)}; rename or remove them"
        )


def _pixels(where: str, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Images as [examples, size, size, channels]."""
    if images.dtype != np.uint8:
        raise NessBenchError(f"{where} is {images.dtype}; give uint8 from 0 to 255 (what runs from 0 to 1, times 255)")
    if images.size == 0:
        raise NessBenchError(f"{where} has shape {images.shape}: it is empty; give images")
    match images.shape:
        case (_, height, width, 1 | 3) if height == width:
            return images
        case (_, 1 | 3, height, width) if height == width:
            return np.moveaxis(images, 1, -1)
        case (_, height, width) if height == width:
            return images[..., None]
    raise NessBenchError(
        f"{where} has shape {images.shape}; give square images of 1 or 3 channels: [examples, size, size, channels], "
        "[examples, channels, size, size] or [examples, size, size]"
    )


def _labels(where: str, labels: npt.NDArray[Any], images: int) -> npt.NDArray[np.int64]:
    if labels.shape not in ((images,), (images, 1)):
        raise NessBenchError(f"{where} has shape {labels.shape} beside {images} images; give one label an image")
    if labels.dtype.kind not in "iu":
        raise NessBenchError(f"{where} is {labels.dtype}; give integers from 0 to classes - 1")
    if labels.min() < 0 or labels.max() > np.iinfo(np.int64).max:
        raise NessBenchError(f"{where} goes from {labels.min()} to {labels.max()}; give integers from 0 to classes - 1")
    return labels.reshape(-1).astype(np.int64)


def _check_channels(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    for channel in range(pixels.shape[-1]):
        if pixels[..., channel].min() == pixels[..., channel].max():
            raise NessBenchError(
                f"{path}: channel {channel} is the same in all pixels of train and cannot be brought to unit variance; "
                "give images that differ"
            )


def _class_names(path: Path, given: npt.NDArray[Any] | None, splits: dict[str, LabelledImages]) -> tuple[str, ...]:
    if given is not None and (given.ndim != 1 or given.dtype.kind != "U"):
        raise NessBenchError(f"{path}: class_names is {given.dtype} {given.shape}; give strings, one a class")
    highest = {split: int(images.labels.max()) for split, images in splits.items()}
    classes = max(highest.values()) + 1 if given is None else len(given)
    if classes < 2:
        raise NessBenchError(f"{path} has {classes} class; give 2 or more")
    for split, label in highest.items():
        if label >= classes:
            raise NessBenchError(
                f"{path}: {split} has label {label}, but class_names names {classes} classes, 0 to {classes - 1}"
            )
    present = set(np.unique(splits["train"].labels).tolist())
    absent = next((label for label in range(classes) if label not in present), None)
    if absent is not None:
        raise NessBenchError(
            f"{path}: train has no image of class {absent if given is None else given[absent]}; "
            f"give images of each of the {classes} classes, numbered without gaps"
        )
    return tuple(map(str, range(classes) if given is None else given))
