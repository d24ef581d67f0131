"""The command line: commands and what they print, nothing else. Heavy imports wait until a command needs them."""

import json
import sys
from typing import Annotated

import typer

from ness_bench import __version__
from ness_bench.cli import bank, data, new, report, study, supernet, table
from ness_bench.cli.shared import Settings, constants_of
from ness_bench.errors import NessBenchError

app = typer.Typer(
    help="A benchmark for neural ensemble search: any ensemble of a prediction bank is scored by a lookup.\n\n"
    "Start with `ness-bench study run benchmarks/studies/quick.toml` or "
    "`ness-bench search nes-rs --bank fashion --budget 40 --size 3`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(bank.app, name="bank")
app.add_typer(supernet.app, name="supernet")
app.add_typer(data.app, name="data")
app.add_typer(table.app, name="table")
app.add_typer(study.app, name="study")
app.add_typer(report.app, name="report")
app.add_typer(new.app, name="new")

BankOption = Annotated[str, typer.Option("--bank", help="A shipped bank (fashion) or the folder of one.")]


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


@app.command()
def search(
    method: Annotated[str, typer.Argument(help="A name that `ness-bench methods` lists.")],
    budget: Annotated[float, typer.Option(help="Training equivalents (TE): 1 trains the average network once.")],
    size: Annotated[int, typer.Option(help="Members of the ensemble.")],
    bank: BankOption = "fashion",
    seed: Annotated[int, typer.Option(min=0, help="The only source of randomness; a study's repetition.")] = 0,
    cost_model: Annotated[
        str, typer.Option(help="measured, or nas-bench-201: supernets are charged as at full scale.")
    ] = "measured",
    settings: Settings = None,
) -> None:
    """Search an ensemble on a bank and print it, its metrics and what it cost, as JSON.

    Test metrics come from the harness: the method has seen validation predictions only.
    """
    from ness_bench.banks.named import open_named
    from ness_bench.studies.ensembles import EnsembleRun
    from ness_bench.studies.ensembles import search as run_search

    opened = open_named(bank)
    constants = constants_of(settings)
    run = EnsembleRun(method, method, bank, opened.digest, size, budget, cost_model, seed, constants)
    found = run_search(run, opened)
    del found["reliability"]  # numbers for a figure
    print(json.dumps(found, indent=2))


def main() -> None:
    """Run the command line; bad input ends it with a message and exit code 2."""
    try:
        app()
    except NessBenchError as error:
        print(f"ness-bench: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except MemoryError as error:
        print(
            f"ness-bench: the memory does not suffice ({error}); give fewer --jobs, or a smaller bank", file=sys.stderr
        )
        raise SystemExit(2) from None
    except OSError as error:  # no permission, no space, a file where a folder should be
        print(f"ness-bench: {error}; what was whole before stays whole, run the command again", file=sys.stderr)
        raise SystemExit(2) from None
