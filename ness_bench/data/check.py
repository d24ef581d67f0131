"""What a data set on disk is, what it holds beside what is published of it, and everything that is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ness_bench.data import fashion_mnist
from ness_bench.data.images import LabelledImages, channel_statistics, digest_of
from ness_bench.data.md5 import md5_of
from ness_bench.data.named import BATCHES, load_named, locate
from ness_bench.data.official import Official

_MEAN_TOLERANCE = 5.0
"""How far a channel's mean may be from the published one, of 255: those of other data sets are further away."""


@dataclass(frozen=True)
class Checked:
    """What was found: labelled lines for people, and the faults, a sentence each; none if the data set is whole."""

    lines: list[tuple[str, str]]
    faults: list[str]


@dataclass(frozen=True)
class _Published:
    title: str
    images: Mapping[str, int]
    mean: Sequence[float]
    std: Sequence[float]
    statistics_of_train: bool = True


def check(name: str) -> Checked:
    """Check the data set of that name or path, see `load_named`.

    Raises:
        NessBenchError: nothing is there, several data sets are, or a `.npz` file is not as it should be.
    """
    if name == "fashion" or name.endswith(".npz"):
        data = load_named(name)
        splits = {"train": data.train, "val": data.val, "test": data.test}
        lines = [("data set", data.name), *_describe(splits, data.class_names, None)]
        return Checked([*lines, ("digest", f"{data.digest} (SHA-256)")], [])
    return check_official(*locate(name))


def check_official(name: str, place: Path) -> Checked:
    """Check an official data set that `locate` found."""
    if name == "fashion-mnist":
        published = _Published("Fashion-MNIST", {"train": 60_000, "test": 10_000}, (72.9,), (90.0,))
        found, faults = fashion_mnist.read_with_faults(place)
        sums = {place / file: md5 for file, md5 in fashion_mnist.MD5.items()}
    else:
        batches = BATCHES[name]
        counts = {"train": batches.train_images, "test": batches.test_images}
        published = _Published(batches.title, counts, batches.mean, batches.std, batches.statistics_of_train)
        found, faults = batches.read_with_faults(place)
        sums = {place / file: md5 for file, md5 in batches.md5.items()}
        if batches.archive is not None:  # itself, whatever it is called, or beside the unpacked folder
            archive = place if place.is_file() else place.parent / batches.archive
            sums = {archive: batches.md5[batches.archive]}
    lines = [("data set", f"{name} ({published.title})"), ("at", str(place))]
    checked_sums = {path: (md5, md5_of(path)) for path, md5 in sums.items() if path.is_file()}
    wrong = [
        f"{path} has the MD5 {found_sum}, the published file {md5}; download it again, unless you wrote it yourself"
        for path, (md5, found_sum) in checked_sums.items()
        if found_sum != md5
    ]
    if checked_sums:
        right = len(checked_sums) - len(wrong)
        lines.append(("published files", f"{right} of {len(checked_sums)} files with a published MD5 have it"))
    faults = [*wrong, *faults]
    if found is not None:
        splits = {"train": found.train, "test": found.test}
        lines += _describe(splits, found.class_names, published)
        lines.append(("digest", f"{digest_of(found.train, found.test)} (SHA-256)"))
        faults += _faults(found, published)
    return Checked(lines, faults)


def _describe(
    splits: Mapping[str, LabelledImages], class_names: tuple[str, ...], published: _Published | None
) -> list[tuple[str, str]]:
    lines = []
    for split, images in splits.items():
        counts = np.bincount(images.labels, minlength=len(class_names))
        low, high = int(counts.min()), int(counts.max())
        of_each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        lines.append((split, f"{len(images):,} images, {of_each} of each of {len(class_names)} classes"))
    height, width, channels = splits["train"].pixels.shape[1:]
    lines.append(("images", f"{height}×{width} pixels, {channels} channel{'s' if channels > 1 else ''}"))
    mean, std = channel_statistics(splits["train"].pixels)
    for label, values, known in (
        ("mean of train", mean, published and published.mean),
        ("std of train", std, published and published.std),
    ):
        beside = f" (published: {_numbers(known)})" if known else ""
        lines.append((label, f"{_numbers(values)} of 255, by channel{beside}"))
    return lines


def _numbers(values: "Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _faults(found: Official, published: _Published) -> list[str]:
    faults = []
    for split, images in (("train", found.train), ("test", found.test)):
        if len(images) != published.images[split]:
            faults.append(
                f"{split} has {len(images):,} images; {published.title} has {published.images[split]:,}: get it again"
            )
        present = set(np.unique(images.labels).tolist())
        absent = [class_name for label, class_name in enumerate(found.class_names) if label not in present]
        if absent:
            some = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            faults.append(
                f"{split} has images of {len(present)} classes, not of all {len(found.class_names)}: none of {some}"
            )
    if published.statistics_of_train and len(found.train):
        mean, _ = channel_statistics(found.train.pixels)
        if max(abs(mean - published.mean)) > _MEAN_TOLERANCE:
            faults.append(
                f"train's channels have the means {_numbers(mean)}, the published ones are {_numbers(published.mean)}: "
                f"these are not {published.title}'s images, or their channels are in another order"
            )
    return faults
