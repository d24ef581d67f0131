"""The command line: commands and what they print, nothing else. Heavy imports wait until a command needs them."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ness_bench import __version__
from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from rich.progress import Progress

app = typer.Typer(
    help="A benchmark for neural ensemble search: any ensemble of a prediction bank is scored by a lookup.\n\n"
    "Start with `ness-bench study run benchmarks/studies/quick.toml` or "
    "`ness-bench search nes-rs --bank fashion --budget 40 --size 3`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bank_app = typer.Typer(
    help="Prediction banks: look into one, check it, build one, score an ensemble.", no_args_is_help=True
)
study_app = typer.Typer(help="Studies: run a plan, report on its records.", no_args_is_help=True)
app.add_typer(bank_app, name="bank")
app.add_typer(study_app, name="study")

BankName = Annotated[str, typer.Argument(help="A shipped bank (fashion) or the folder of one.")]
BankOption = Annotated[str, typer.Option("--bank", help="A shipped bank (fashion) or the folder of one.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Worker processes, one thread each.", show_default="cores")
]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"ness-bench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None: ...


@app.command("methods")
def list_methods() -> None:
    """List the search methods with their constants and defaults."""
    from dataclasses import fields

    from rich.console import Console
    from rich.table import Table

    from ness_bench.methods.method import methods

    table = Table("method", "what it does", "constants (change one with --set)")
    for name, method in methods().items():
        constants = ", ".join(f"{field.name}={getattr(method(), field.name)!r}" for field in fields(method))
        table.add_row(name, (method.__doc__ or "").partition("\n")[0], constants)
    Console().print(table)


def _constants(settings: list[str]) -> dict[str, Any]:
    """`name=value` settings; values are read as TOML, so `2`, `0.5`, `true` and `"x"` keep their types."""
    import tomllib

    constants: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        try:
            if not equals:
                raise tomllib.TOMLDecodeError("no =")
            (constants[name.strip()],) = tomllib.loads(f"value = {value}").values()
        except ValueError:  # no TOML, or more than one value
            raise NessBenchError(f'--set was given "{setting}"; write it like --set delta=0.5') from None
    return constants


@app.command()
def search(
    method: Annotated[str, typer.Argument(help="A name that `ness-bench methods` lists.")],
    budget: Annotated[float, typer.Option(help="Training equivalents (TE): 1 trains the average network once.")],
    size: Annotated[int, typer.Option(help="Members of the ensemble.")],
    bank: BankOption = "fashion",
    seed: Annotated[int, typer.Option(min=0, help="The only source of randomness; a study's repetition.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="A constant, as in --set delta=0.5.")] = None,
) -> None:
    """Search an ensemble on a bank and print it, its metrics and what it cost, as JSON.

    Test metrics come from the harness: the method has seen validation predictions only.
    """
    from ness_bench.banks.named import open_named
    from ness_bench.studies.run import RunSpec
    from ness_bench.studies.run import search as run_search

    opened = open_named(bank)
    spec = RunSpec(method, method, bank, opened.digest, size, budget, seed, _constants(settings or []))
    print(json.dumps(run_search(spec, opened), indent=2))


@bank_app.command("info")
def bank_info(bank: BankName) -> None:
    """Say what a bank holds and how well it separates architectures."""
    from ness_bench.banks.named import open_named
    from ness_bench.banks.summary import summarise

    lines = summarise(open_named(bank))
    width = max(len(label) for label, _ in lines)
    for label, value in lines:
        print(f"{label:{width}}  {value}")


@bank_app.command("verify")
def bank_verify(
    bank: BankName,
    retrain: Annotated[int, typer.Option(min=0, help="Random members to train again and compare.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of members.")] = 0,
) -> None:
    """Check a bank: digests, shapes, that probabilities sum to 1; with --retrain, that it can be made again."""
    from ness_bench.banks.named import folder_of
    from ness_bench.banks.verify import verify

    for line in verify(folder_of(bank), retrain, seed):
        print(line)


@bank_app.command("evaluate")
def bank_evaluate(
    bank: BankName,
    members: Annotated[list[str], typer.Argument(help='Architecture strings, each with ":SEED" after it if not 0.')],
) -> None:
    """Score the ensemble of the named members on both splits, as JSON."""
    from dataclasses import asdict

    from ness_bench.banks.named import open_named
    from ness_bench.ensembles.metrics import evaluate
    from ness_bench.spaces.nas_bench_201 import parse

    opened = open_named(bank)
    rows = []
    for member in members:
        string, colon, seed = member.rpartition(":")
        if colon and not seed.isdecimal():
            raise NessBenchError(f'member "{member}" was given; after the ":" stands its seed, 0, 1, …')
        rows.append(opened.members.row(parse(string if colon else member), int(seed) if colon else 0))
    scores = {
        split: asdict(evaluate(predictions.probabilities(rows), predictions.labels))
        for split, predictions in (("val", opened.val), ("test", opened.test))
    }
    print(json.dumps(scores, indent=2))


@bank_app.command("build")
def bank_build(
    out: Annotated[Path, typer.Option(help="Folder of the finished bank.")],
    data: Annotated[str, typer.Option(help="fashion, or a folder with Fashion-MNIST's IDX files.")] = "fashion",
    classes: Annotated[int, typer.Option(help="Functional classes, in a seeded random order.")] = 240,
    best_repeated: Annotated[int, typer.Option(help="Classes, best by validation, that get further seeds.")] = 48,
    random_repeated: Annotated[int, typer.Option(help="Classes, first drawn, that get further seeds.")] = 24,
    extra_seeds: Annotated[int, typer.Option(min=0, help="Further seeds of those classes.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, help="Of the members.")] = 20,
    channels: Annotated[int, typer.Option(min=4, help="Width C of the first stage, a multiple of 4.")] = 4,
    cells: Annotated[int, typer.Option(min=1, help="Cells a stage.")] = 3,
    train_examples: Annotated[int, typer.Option(help="Of the train split.")] = 10_000,
    test_examples: Annotated[int, typer.Option(help="Of the test split.")] = 2_000,
    uniform_epochs: Annotated[str, typer.Option(help="Lengths of the single-path supernets.")] = "80,160",
    darts_epochs: Annotated[int, typer.Option(min=0, help="Length of the DARTS supernets; 0 for none.")] = 50,
    supernet_seeds: Annotated[int, typer.Option(min=0, help="Supernets of each kind and length.")] = 3,
    jobs: Jobs = None,
) -> None:
    """Train the members and supernets of a bank and assemble it.

    Killed at any moment, the same command goes on where it was: what is trained lies in OUT.partial until all is.
    """
    from ness_bench.banks.build import build
    from ness_bench.banks.plan import BuildPlan
    from ness_bench.training.recipe import Recipe

    try:
        lengths = tuple(int(length) for length in uniform_epochs.split(",") if length.strip())
    except ValueError:
        raise NessBenchError(f'--uniform-epochs was given "{uniform_epochs}"; write it like 80,160') from None
    plan = BuildPlan(
        data, classes, best_repeated, random_repeated, extra_seeds, Recipe(epochs=epochs), channels, cells,
        train_examples, test_examples, lengths, darts_epochs, supernet_seeds,
    )  # fmt: skip
    with _progress() as progress:
        bars = {}

        def begun(stage: str, total: int, done: int) -> None:
            bars[stage] = progress.add_task(stage, total=total, completed=done)

        build(plan, out, jobs or _cores(), begun, lambda stage: progress.advance(bars[stage]))
    print(f"{out} is whole; `ness-bench bank info {out}` says what it holds")


@study_app.command("run")
def study_run(
    plan: Annotated[Path, typer.Argument(help="A TOML file such as benchmarks/studies/quick.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for records, tables, figures.", show_default="results/NAME")
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Run what of a plan is not done yet, then report on it.

    Stopped anywhere, the same command goes on where it was; a finished run is never repeated.
    """
    from ness_bench.studies.plan import read_plan
    from ness_bench.studies.study import run

    checked = read_plan(plan)
    folder = out or Path("results") / checked.name
    with _progress() as progress:
        bar = progress.add_task(f"runs of {checked.name}", total=None)
        errors = run(
            checked,
            folder,
            jobs or _cores(),
            lambda total, done: progress.update(bar, total=total, completed=done),
            lambda: progress.advance(bar),
        )
    if errors:
        raise NessBenchError("runs failed:\n  " + "\n  ".join(errors))
    study_report(folder)


@study_app.command("report")
def study_report(folder: Annotated[Path, typer.Argument(help="Folder of a study that has been run.")]) -> None:
    """Write a study's tables and figures anew from its records, and print the table."""
    from rich.console import Console

    from ness_bench.reports.report import write_report
    from ness_bench.reports.terminal import comparison

    written = write_report(folder)
    console = Console()
    for table in comparison(folder / "tables" / "comparison.csv"):
        console.print(table, "")
    print("The means over repetitions on test; ± is half the width of the 95 % bootstrap interval. Written:")
    print("\n".join(f"  {path}" for path in written))


def main() -> None:
    """Run the command line; bad input ends it with a message and exit code 2."""
    try:
        app()
    except NessBenchError as error:
        print(f"ness-bench: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:  # no permission, no space, a file where a folder should be
        print(f"ness-bench: {error}; what was whole before stays whole, run the command again", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
