"""`ness-bench data`: official data sets, downloaded and looked into."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ness_bench.cli.shared import print_lines
from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from rich.progress import Progress

app = typer.Typer(help="Official image data sets: download them, check what lies on disk.", no_args_is_help=True)


class _FileBar:
    """A file's bar within a display of several, as downloads move it."""

    def __init__(self, progress: "Progress", name: str) -> None:
        self._progress, self._task = progress, progress.add_task(name, total=None)

    @property
    def total(self) -> int:
        """Bytes of the file, 0 if the server does not say."""
        return int(self._progress.tasks[self._task].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, more: int, /) -> None:
        self._progress.advance(self._task, more)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None: ...


@app.command("fetch")
def fetch_data_set(
    name: Annotated[str, typer.Argument(help="cifar10, cifar100 or fashion-mnist.")],
    to: Annotated[
        Path | None, typer.Option(help="Where to; NESS_BENCH_DATA or data if left out.", show_default=False)
    ] = None,
) -> None:
    """Download an official data set and check it against its published MD5; what is there and whole is kept.

    CIFAR-10 and CIFAR-100 are 170 MB each and stay packed, Fashion-MNIST is 30 MB. ImageNet16-120 asks for
    registration and cannot be fetched.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from ness_bench.data.fetch import fetch
    from ness_bench.data.named import home

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        place = fetch(name, home() if to is None else to, lambda file: _FileBar(progress, file))
    print(f"{place} is whole; `ness-bench data check {place}` says what it holds")


@app.command("check")
def check_data_set(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DIR|NAME",
            help="fashion, cifar10, cifar100, imagenet16-120 or fashion-mnist; or the path of a folder, an archive "
            "or a .npz file.",
        ),
    ],
) -> None:
    """Say which data set it is, what it holds beside what is published of it, and every fault that is found.

    Exit code 2 if there is a fault.
    """
    from ness_bench.data.check import check

    checked = check(data)
    print_lines([*checked.lines, *([("fault", fault) for fault in checked.faults] or [("faults", "none")])])
    if checked.faults:
        number = len(checked.faults)
        raise NessBenchError(f"{data} is not whole: {number} fault{'s' if number > 1 else ''}, listed above")
