"""Images in batches, each a pickled dict: the form in which both CIFARs and downsampled ImageNet are published."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from ness_bench.data.images import LabelledImages
from ness_bench.data.official import Official
from ness_bench.data.pickles import read_mapping
from ness_bench.errors import NessBenchError


@dataclass(frozen=True)
class Batches:
    """A data set published as batches: where it lies, what its files hold, what is known of it when whole.

    Attributes:
        name: as `load_named` knows it.
        title: as papers write it.
        folder: the official folder's name.
        archive: the name of the official archive of the folder; None if it is not read packed.
        source: where to get it, to follow "download it again from".
        train_files, test_files: names of the batches, in order.
        names_file: the file that holds the names of the classes under `names_key`; None if `class_names` does.
        labels_key: the key of the labels in each batch.
        classes: how many the data set has: the first of those in the files, the images of all others are left out.
        class_names: by class; empty where `names_file` has them.
        first_label, last_label: the lowest label in the files, which is class 0's, and the highest.
        size: height and width of an image in pixels.
        train_images, test_images: how many there are when it is whole.
        mean, std: of each channel (red, green, blue) as published, on the scale 0 to 255.
        statistics_of_train: whether `mean` and `std` are known to be those of all train images.
        md5: published sums, by file name.
    """

    name: str
    title: str
    folder: str
    archive: str | None
    source: str
    train_files: tuple[str, ...]
    test_files: tuple[str, ...]
    labels_key: str
    classes: int
    last_label: int
    size: int
    train_images: int
    test_images: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    md5: dict[str, str]
    statistics_of_train: bool = True
    first_label: int = 0
    class_names: tuple[str, ...] = ()
    names_file: str | None = None
    names_key: str = ""
    files: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = () if self.names_file is None else (self.names_file,)
        object.__setattr__(self, "files", (*self.train_files, *self.test_files, *names))

    def find(self, path: Path) -> Path | None:
        """The folder with the batches, or else the packed one: `path` itself, or in it under the official name."""
        batches = (*self.train_files, *self.test_files)
        for place in (path, path / self.folder):
            if any((place / name).is_file() for name in batches):
                return place
        packed = () if self.archive is None else (path, path / self.archive)
        return next((place for place in packed if place.name == self.archive and place.is_file()), None)

    def read(self, path: Path) -> Official:
        """The data set in a folder or archive that `find` found; a folder is read faster.

        Raises:
            NessBenchError: a file is missing, damaged, or asks for more than images and labels.
        """
        found, faults = self.read_with_faults(path)
        if found is None or faults:
            raise NessBenchError(faults[0])
        return found

    def read_with_faults(self, path: Path) -> tuple[Official | None, list[str]]:
        """What there is, None if a file is lacking or cannot be read, and all that is wrong with the files."""
        parts: dict[str, LabelledImages] = {}
        class_names: tuple[str, ...] | None = self.class_names or None
        faults, opened = [], []
        try:
            for name, file in self._open(path):
                opened.append(name)
                try:
                    if name == self.names_file:
                        class_names = self._read_names(path / name, file)
                    else:
                        parts[name] = self._read_batch(path / name, file)
                except NessBenchError as error:
                    faults.append(str(error))
        except NessBenchError as error:  # an archive that is cut short lacks what comes behind the cut
            return None, [*faults, str(error)]
        missing = [name for name in self.files if name not in opened]
        if missing:
            faults.append(f"{path} lacks {', '.join(missing)} of {self.title}; download it again from {self.source}")
        if class_names is None or faults:
            return None, faults
        train, test = (
            LabelledImages(
                np.concatenate([parts[name].pixels for name in names]),
                np.concatenate([parts[name].labels for name in names]),
            )
            for names in (self.train_files, self.test_files)
        )
        return Official(self.name, class_names, train, test), faults

    def _open(self, path: Path) -> Iterator[tuple[str, IO[bytes]]]:
        """Those files that are there, each by name and open for reading."""
        if path.is_dir():
            for name in self.files:
                if (path / name).is_file():
                    with (path / name).open("rb") as file:
                        yield name, file
            return
        try:
            with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if name in self.files and (content := archive.extractfile(member)):
                        yield name, content
                unpacked.read()  # to the end, where the checksum is compared
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise self._damaged(path, error) from None

    def _read_batch(self, path: Path, file: IO[bytes]) -> LabelledImages:
        batch, columns = self._read_pickle(path, file), 3 * self.size**2
        rows, labels = batch.get("data"), batch.get(self.labels_key)
        wanted = f"uint8 data [images, {columns}] with a label from {self.first_label} to {self.last_label} for each"
        if not isinstance(rows, np.ndarray) or not isinstance(labels, list | np.ndarray):
            lacking = "data" if not isinstance(rows, np.ndarray) else self.labels_key
            raise self._damaged(path, f"it holds no {wanted}: {lacking} is missing or of another type")
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != columns:
            raise self._damaged(path, f"it holds no {wanted}: data is {rows.dtype} {list(rows.shape)}")
        numbers = labels.tolist() if isinstance(labels, np.ndarray) else labels
        if len(numbers) != len(rows):
            raise self._damaged(path, f"it holds no {wanted}: {len(rows)} images have {len(numbers)} labels")
        for image, label in enumerate(numbers):
            if type(label) is not int or not self.first_label <= label <= self.last_label:
                raise self._damaged(path, f"it holds no {wanted}: image {image} has the label {label!r}")
        classes = np.array(numbers, np.int64) - self.first_label
        kept = classes < self.classes
        if not kept.all():
            rows, classes = rows[kept], classes[kept]
        pixels = rows.reshape(-1, 3, self.size, self.size).transpose(0, 2, 3, 1)
        return LabelledImages(np.ascontiguousarray(pixels), classes)

    def _read_names(self, path: Path, file: IO[bytes]) -> tuple[str, ...]:
        names = self._read_pickle(path, file).get(self.names_key)
        if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
            raise self._damaged(path, f"it holds no list of names under {self.names_key}")
        decoded = tuple(name.decode("latin1") if isinstance(name, bytes) else name for name in names)
        if len(decoded) != self.classes:
            raise self._damaged(path, f"it names {len(decoded)} classes, {self.title} has {self.classes}")
        return decoded

    def _read_pickle(self, path: Path, file: IO[bytes]) -> dict[str, Any]:
        try:
            return read_mapping(file)
        except Exception as error:  # what a damaged pickle raises is not limited to anything
            raise self._damaged(path, error) from None

    def _damaged(self, path: Path, reason: object) -> NessBenchError:
        return NessBenchError(
            f"{path} is damaged or not {self.title}'s ({reason}); download it again from {self.source}"
        )
