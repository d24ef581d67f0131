"""Downloading official data sets: each file is checked against its published MD5 before it gets its name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ness_bench.data import cifar10, cifar100, fashion_mnist, imagenet16_120
from ness_bench.data.check import check_official
from ness_bench.data.md5 import md5_of
from ness_bench.data.named import BATCHES
from ness_bench.errors import NessBenchError, nearest


@dataclass(frozen=True)
class Download:
    """A published file.

    Attributes:
        path: where it goes, relative to the folder of downloaded data sets.
    """

    path: str
    url: str
    md5: str


_FASHION_MNIST = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"

DOWNLOADS = {
    "cifar10": (Download(cifar10.ARCHIVE, cifar10.URL, cifar10.MD5),),
    "cifar100": (Download(cifar100.ARCHIVE, cifar100.URL, cifar100.MD5),),
    "fashion-mnist": tuple(
        Download(f"{fashion_mnist.FOLDER}/{file}", f"{_FASHION_MNIST}/{file}", md5)
        for file, md5 in fashion_mnist.MD5.items()
    ),
}
"""What each data set that can be fetched consists of."""


class ProgressBar(Protocol):
    """What shows how far a download is, in bytes."""

    total: int

    def update(self, more: int, /) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


def fetch(name: str, to: Path, bar_of: Callable[[str], ProgressBar]) -> Path:
    """Download a data set into a folder, except for what is there and whole. Archives stay packed.

    Args:
        name: one of `DOWNLOADS`.
        to: the folder of downloaded data sets; made if it is not there.
        bar_of: makes the progress bar of a file, by its name.

    Returns:
        The folder or archive to be read, whole by then.

    Raises:
        NessBenchError: there is no such data set, it cannot be fetched, a server did not answer or broke off, what it
            sent is not the published file, or an unpacked copy lies there that is not whole. Of a download that
            failed, nothing is left behind; files that were whole stay.
    """
    if name == imagenet16_120.BATCHES.name:
        raise NessBenchError(
            "ImageNet16-120 cannot be fetched, since ImageNet asks for registration; get it yourself from "
            f"{imagenet16_120.BATCHES.source} and unpack it into {to / imagenet16_120.BATCHES.folder}"
        )
    if name not in DOWNLOADS:
        shipped = " (fashion, its shipped subset, needs no download)" if name == "fashion" else ""
        raise NessBenchError(
            f'no data set "{name}" can be fetched{nearest(name, list(DOWNLOADS))}; allowed: '
            f"{', '.join(DOWNLOADS)}{shipped}"
        )
    unpacked = to / BATCHES[name].folder if name in BATCHES else None
    if unpacked is not None and BATCHES[name].find(to) == unpacked:
        faults = check_official(name, unpacked).faults
        if faults:
            raise NessBenchError(
                f"{unpacked} is read before any archive, but is not whole ({faults[0]}); move it away and fetch again"
            )
        return unpacked
    for download in DOWNLOADS[name]:
        path = to / download.path
        if not (path.is_file() and md5_of(path) == download.md5):
            _download(download, path, bar_of(path.name))
    return to / (fashion_mnist.FOLDER if unpacked is None else DOWNLOADS[name][0].path)


def _download(download: Download, path: Path, bar: ProgressBar) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # it says with more words what the bar shows
    by_hand = f"download {download.url} (MD5 {download.md5}) by other means and put it at {path}"
    try:
        pooch.retrieve(
            download.url,
            f"md5:{download.md5}",
            path.name,
            path.parent,
            downloader=pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16),
        )
    except requests.HTTPError as error:
        raise NessBenchError(f"{download.url} was refused ({error}); try again later, or {by_hand}") from None
    except requests.exceptions.ChunkedEncodingError as error:
        raise NessBenchError(f"{download.url} broke off ({error}); run the command again, or {by_hand}") from None
    except requests.RequestException as error:
        raise NessBenchError(
            f"{download.url} could not be reached ({_cause(error)}); run the command again with a network, or {by_hand}"
        ) from None
    except ValueError as error:  # of pooch, about the sum, and of requests, about an address
        raise NessBenchError(f"{download.url} is not the published file ({error}); {by_hand}") from None


def _cause(error: BaseException) -> str:
    """What the innermost library says, without the objects that the outer ones print around it."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) else str(error).rpartition(": ")[2]
