"""`ness-bench bank`: prediction banks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ness_bench.cli.shared import Jobs, cores, print_lines, progress_bars
from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from ness_bench.ensembles.oracle import Optimum
    from ness_bench.ensembles.quantised import QuantisedPredictions

app = typer.Typer(help="Prediction banks: look into one, check it, build one, score an ensemble.", no_args_is_help=True)

BankName = Annotated[str, typer.Argument(help="A shipped bank (fashion) or the folder of one.")]


@app.command("info")
def info(bank: BankName) -> None:
    """Say what a bank holds and how well it separates architectures."""
    from ness_bench.banks.named import open_named
    from ness_bench.banks.summary import summarise

    print_lines(summarise(open_named(bank)))


@app.command("verify")
def verify(
    bank: BankName,
    retrain: Annotated[int, typer.Option(min=0, help="Random members to train again and compare.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of members.")] = 0,
) -> None:
    """Check a bank: digests, shapes, that probabilities sum to 1; with --retrain, that it can be made again."""
    from ness_bench.banks.named import folder_of
    from ness_bench.banks.verify import verify

    for line in verify(folder_of(bank), retrain, seed):
        print(line)


@app.command("evaluate")
def evaluate(
    bank: BankName,
    members: Annotated[list[str], typer.Argument(help='Architecture strings, each with ":SEED" after it if not 0.')],
) -> None:
    """Score the ensemble of the named members on both splits, as JSON, and on test with its temperature set on val."""
    from dataclasses import asdict

    from ness_bench.banks.named import open_named
    from ness_bench.ensembles.metrics import brier, ece, ensemble_probabilities, evaluate, nll
    from ness_bench.ensembles.temperature import at_temperature, fit_temperature
    from ness_bench.spaces.nas_bench_201 import parse

    opened = open_named(bank)
    rows = []
    for member in members:
        string, colon, seed = member.rpartition(":")
        if colon and not seed.isdecimal():
            raise NessBenchError(f'member "{member}" was given; after the ":" stands its seed, 0, 1, …')
        rows.append(opened.members.row(parse(string if colon else member), int(seed) if colon else 0))
    of_members = {split: of.probabilities(rows) for split, of in (("val", opened.val), ("test", opened.test))}
    val, test = (ensemble_probabilities(of_members[split]) for split in ("val", "test"))
    temperature = fit_temperature(val, opened.val.labels)
    scaled = at_temperature(test, temperature)
    scores = {
        "val": asdict(evaluate(of_members["val"], opened.val.labels)),
        "test": asdict(evaluate(of_members["test"], opened.test.labels)),
        "test_temperature_scaled": {"temperature": temperature}
        | {metric.__name__: metric(scaled, opened.test.labels) for metric in (nll, ece, brier)},
    }
    print(json.dumps(scores, indent=2))


def _shard(text: str | None) -> tuple[int, int] | None:
    """`2/4` as (2, 4)."""
    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise NessBenchError(f'--shard was given "{text}"; write it like 2/4 for the second of four')
    return int(number), int(of)


@app.command("oracle")
def oracle(
    bank: BankName,
    size: Annotated[int, typer.Option(help="Members of the ensemble.")] = 3,
    metric: Annotated[str, typer.Option(help="accuracy, nll or brier.")] = "nll",
) -> None:
    """Show the best ensemble there is by a metric, on each split, and what it scores on the other.

    The bank holds the usual sizes; others are searched for, which can take minutes. "Proved" means that no ensemble of
    that many different members is better; otherwise a bound says how much better one could be.
    """
    from ness_bench.banks.named import open_named
    from ness_bench.ensembles import metrics
    from ness_bench.spaces.nas_bench_201 import to_string

    opened = open_named(bank)
    splits = {"val": opened.val, "test": opened.test}
    for split, other in (("val", "test"), ("test", "val")):
        found = opened.optima.get((split, metric, size)) or _search_optimum(splits[split], split, metric, size)
        score, elsewhere = getattr(metrics, metric), splits[other]
        ensemble = metrics.ensemble_probabilities(elsewhere.probabilities(list(found.rows)))
        proof = "proved" if found.proven else f"best found; none passes {found.bound:.5f}"
        print(f"best {size} by {metric} on {split}: {found.value:.5f} ({proof})")
        print(
            f"  on {other} {score(ensemble, elsewhere.labels):.5f}; its members, and what each scores alone on {split}:"
        )
        for row in found.rows:
            own = score(splits[split].probabilities([row])[0], splits[split].labels)
            print(f"  {to_string(opened.members.architectures[row])}:{opened.members.seeds[row]}  {own:.5f}")


def _search_optimum(predictions: "QuantisedPredictions", split: str, metric: str, size: int) -> "Optimum":
    from ness_bench.banks.optima import SECONDS
    from ness_bench.ensembles.oracle import best_ensemble

    with progress_bars() as progress:
        bar = progress.add_task(f"best {size} by {metric} on {split}", total=1.0)
        return best_ensemble(
            predictions, metric, size, seconds=SECONDS, progress=lambda done: progress.update(bar, completed=done)
        )


@app.command("build")
def build(
    out: Annotated[Path, typer.Option(help="Folder of the finished bank.")],
    data: Annotated[
        str,
        typer.Option(help="fashion, cifar10, cifar100, imagenet16-120, a .npz file of your own images, or a folder."),
    ] = "fashion",
    classes: Annotated[
        int | None, typer.Option(help="Functional classes, in a seeded random order.", show_default="all")
    ] = None,
    random_repeated: Annotated[
        int | None, typer.Option(help="Classes, first drawn, that get further seeds.", show_default="200, or all")
    ] = None,
    best_repeated: Annotated[
        int | None, typer.Option(help="Classes, best by validation, that get further seeds.", show_default="48, or all")
    ] = None,
    extra_seeds: Annotated[int, typer.Option(min=0, help="Further seeds of those classes.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, help="Of the members.")] = 20,
    learning_rate: Annotated[float, typer.Option(min=0, help="Of the members, at the first step.")] = 0.05,
    channels: Annotated[int, typer.Option(min=4, help="Width C of the first stage, a multiple of 4.")] = 4,
    cells: Annotated[int, typer.Option(min=1, help="Cells a stage.")] = 3,
    train_examples: Annotated[
        int | None, typer.Option(help="Of the train split.", show_default="10000, or all")
    ] = None,
    val_examples: Annotated[int | None, typer.Option(help="Of the val split.", show_default="2000, or all")] = None,
    test_examples: Annotated[
        int | None, typer.Option(help="Of the test split: their predictions are kept.", show_default="2000, or all")
    ] = None,
    uniform_epochs: Annotated[str, typer.Option(help="Lengths of the single-path supernets.")] = "40,80,160",
    darts_epochs: Annotated[int, typer.Option(min=0, help="Length of the DARTS supernets; 0 for none.")] = 50,
    supernet_seeds: Annotated[int, typer.Option(min=0, help="Supernets of each kind and length.")] = 5,
    device: Annotated[
        str | None,
        typer.Option(
            help="A device of PyTorch, such as cuda, that trains many members at once.",
            show_default="none: one a core",
        ),
    ] = None,
    stack: Annotated[int, typer.Option(min=1, help="How many members the device trains at once.")] = 256,
    shard: Annotated[
        str | None, typer.Option(help="Do the i-th of n shares, as in 2/4, and stop; `bank merge` joins them.")
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Train the members and supernets of a bank and assemble it.

    Says how long it will take before it begins. Killed at any moment, the same command goes on where it was: what is
    trained lies in OUT.partial until all is.

    Your own images come as a .npz file: train_images and test_images, uint8 [n, h, w] or with a channel axis, and
    train_labels and test_labels; val_images and val_labels if there are such.
    """
    from datetime import timedelta

    from ness_bench.banks.build import build, check, partial_folder
    from ness_bench.banks.estimate import estimate
    from ness_bench.banks.plan import BuildPlan
    from ness_bench.data.named import load_named
    from ness_bench.spaces.space import Space
    from ness_bench.training.recipe import Recipe

    try:
        lengths = tuple(int(length) for length in uniform_epochs.split(",") if length.strip())
    except ValueError:
        raise NessBenchError(f'--uniform-epochs was given "{uniform_epochs}"; write it like 40,80,160') from None
    share, images = _shard(shard), load_named(data)
    number = len(Space.whole().classes) if classes is None else classes
    plan = BuildPlan(
        data,
        number,
        min(200, number) if random_repeated is None else random_repeated,
        min(48, number) if best_repeated is None else best_repeated,
        extra_seeds,
        Recipe(epochs=epochs, learning_rate=learning_rate),
        channels,
        cells,
        min(10_000, len(images.train)) if train_examples is None else train_examples,
        min(2_000, len(images.val)) if val_examples is None else val_examples,
        min(2_000, len(images.test)) if test_examples is None else test_examples,
        lengths,
        darts_epochs,
        supernet_seeds,
        device,
    )
    check(plan, out)
    workers = jobs or cores()
    trainings, seconds = estimate(plan, out, workers, share, stack)
    print(f"{trainings:,} trainings to do: about {timedelta(seconds=round(seconds))} h on {workers} cores")
    with progress_bars() as progress:
        bars = {}

        def begun(stage: str, total: int, done: int) -> None:
            bars[stage] = progress.add_task(stage, total=total, completed=done)

        build(plan, out, workers, begun, lambda stage: progress.advance(bars[stage]), share, stack)
    if share is None:
        print(f"{out} is whole; `ness-bench bank info {out}` says what it holds")
    else:
        print(
            f"shard {shard} is done; bring all of them together with `ness-bench bank merge --out {out} "
            f"{partial_folder(out)} …`, then build without --shard"
        )


@app.command("merge")
def merge(
    shards: Annotated[list[Path], typer.Argument(help="Folders NAME.partial that `bank build --shard` left.")],
    out: Annotated[Path, typer.Option(help="Folder of the finished bank; OUT.partial receives the shards' work.")],
) -> None:
    """Bring together what the shards of a build have trained."""
    from ness_bench.banks.merge import merge

    copied = merge(shards, out)
    print(f"{copied} files copied to {out}.partial; `ness-bench bank build --out {out}` with the same options goes on")


@app.command("add")
def add(
    bank: Annotated[Path, typer.Argument(help="Folder of a finished bank.")],
    supernets: Annotated[list[Path], typer.Argument(help="Folders that `ness-bench supernet evaluate` has scored.")],
) -> None:
    """Add supernets to a bank: searches on it can buy them from then on. The bank's digest changes."""
    from ness_bench.banks.supernet_folder import add

    for folder in supernets:
        print(f"{bank} holds {add(folder, bank)}")
