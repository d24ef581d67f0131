"""`ness-bench supernet`: train a supernet, ask how well it ranks networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ness_bench.cli.shared import Jobs, constants_of, cores, print_lines, progress_bars
from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from ness_bench.banks.bank import Bank
    from ness_bench.data.images import DataSet
    from ness_bench.networks.supernets import OneShotSkeleton

app = typer.Typer(
    help="Supernets: train one, ask how well the weights that networks inherit from it rank them.", no_args_is_help=True
)

Data = Annotated[
    str, typer.Option(help="fashion, cifar10, cifar100, imagenet16-120, a .npz file of your own images, or a folder.")
]
TrainExamples = Annotated[int | None, typer.Option(min=1, help="Of the train split.", show_default="10000, or all")]
ValExamples = Annotated[int | None, typer.Option(min=1, help="Of the val split.", show_default="2000, or all")]

SPACES = ("nas-bench-201", "darts")


def _skeleton(space: str, channels: int | None, cells: int, layers: int, data: "DataSet") -> "OneShotSkeleton":
    from ness_bench.networks.darts_skeleton import DartsSkeleton
    from ness_bench.networks.skeleton import Skeleton

    _, size, _, input_channels = data.train.pixels.shape
    classes = len(data.class_names)
    if space == "nas-bench-201":
        return Skeleton(channels or 4, cells, input_channels, classes, size)
    if space == "darts":
        return DartsSkeleton(channels or 16, layers, input_channels, classes, size)
    raise NessBenchError(f'--space was given "{space}"; allowed: {", ".join(SPACES)}')


@app.command("train")
def train(
    out: Annotated[Path, typer.Option(help="Folder of the supernet.")],
    kind: Annotated[str, typer.Option(help="uniform, rsps, darts, darts-v2, gdas or snas.")] = "uniform",
    data: Data = "fashion",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of the training.", show_default="as published; uniform 80")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of initial weights, order of images and draws.")] = 0,
    space: Annotated[str, typer.Option(help="nas-bench-201, or darts: its cell space for CIFAR.")] = "nas-bench-201",
    channels: Annotated[
        int | None, typer.Option(min=1, help="Width C of the first stage.", show_default="4; of darts 16")
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="Cells a stage, of nas-bench-201.")] = 3,
    layers: Annotated[int, typer.Option(min=3, help="Cells in all, of darts.")] = 8,
    train_examples: TrainExamples = None,
    val_examples: ValExamples = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A constant of the kind, as in --set learning_rate=0.05.")
    ] = None,
) -> None:
    """Train a supernet. Killed at any moment, the same command goes on after the last whole epoch.

    uniform (NESS's) and rsps: one random path a step. darts, darts-v2: all operations mixed, α of first or second
    order. gdas: one path a step, drawn from α. snas: relaxed draws from α, weights and α on the same images.
    """
    from ness_bench.banks.supernet_folder import train
    from ness_bench.data.named import load_first
    from ness_bench.training.one_shot.kinds import recipe_of

    recipe = recipe_of(kind, epochs, **constants_of(settings))
    images = load_first(data, train_examples, val_examples)
    skeleton = _skeleton(space, channels, cells, layers, images)
    with progress_bars() as progress:
        bar = progress.add_task(f"epochs of {kind}", total=recipe.epochs)

        def done(epoch: int, loss: float) -> None:
            progress.update(bar, completed=epoch, description=f"epochs of {kind}, loss {loss:.3f}")

        path = train(out, images, skeleton, kind, recipe, seed, done)
        progress.update(bar, completed=recipe.epochs)
    size = path.stat().st_size / 1e6
    print(f"{path} is whole ({size:.2f} MB); `ness-bench supernet evaluate {out}` says how well it ranks networks")


@app.command("evaluate")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder that `supernet train` left.")],
    against: Annotated[
        str,
        typer.Option(help="The bank whose stand-alone networks are to be ranked, or embedded: NAS-Bench-201's alone."),
    ] = "fashion",
    data: Annotated[str | None, typer.Option(help="What it was trained on.", show_default="as then")] = None,
    train_examples: TrainExamples = None,
    val_examples: ValExamples = None,
    jobs: Jobs = None,
) -> None:
    """Score every architecture with the weights that it inherits, and say how well the scores rank networks.

    Rank correlations are of the validation NLL with inherited weights and stand-alone accuracy: NESS takes for granted
    that they are high. Of DARTS's cell space a few random architectures are scored.
    """
    from ness_bench.banks import supernet_folder, supernet_report
    from ness_bench.data.named import load_first
    from ness_bench.networks.skeleton import Skeleton

    held = supernet_folder.describe(folder)
    bank = _bank(against, folder) if isinstance(held.skeleton, Skeleton) and against != "embedded" else None
    images = load_first(data or _trained_on(held.data, folder), train_examples, val_examples)
    if not isinstance(held.skeleton, Skeleton):
        print_lines(supernet_report.sampled(folder, images))
        return
    with progress_bars() as progress:
        bar = progress.add_task("architectures", visible=False)
        scored = supernet_folder.score(
            folder,
            images,
            jobs or cores(),
            lambda total: progress.update(bar, total=total, visible=True),
            lambda more: progress.advance(bar, more),
        )
    print_lines(supernet_report.ranked(folder, scored, bank))


def _trained_on(data: str | None, folder: Path) -> str:
    """The data set that a supernet names, if the name tells where it is."""
    if data not in ("fashion", "cifar10", "cifar100", "imagenet16-120", "fashion-mnist"):
        raise NessBenchError(f"{folder} was trained on {data}; say with --data where that is")
    return data


def _bank(name: str, folder: Path) -> "Bank":
    """The bank of that name, refused before anything is computed if it cannot be compared with a supernet."""
    from ness_bench.banks import supernet_folder
    from ness_bench.banks.manifest import read_manifest
    from ness_bench.banks.named import folder_of, open_named

    path = folder_of(name)
    try:
        supernet_folder.require_same(supernet_folder.describe(folder), read_manifest(path), folder, path)
    except NessBenchError as error:
        raise NessBenchError(f"{error} (--against), or --against embedded") from None
    return open_named(name)
