"""`ness-bench study`: run a plan, report on its records."""

from pathlib import Path
from typing import Annotated

import typer

from ness_bench.cli.shared import Jobs, cores, progress_bars
from ness_bench.errors import NessBenchError

app = typer.Typer(help="Studies: run a plan, report on its records.", no_args_is_help=True)


@app.command("run")
def run(
    plan: Annotated[Path, typer.Argument(help="A TOML file such as benchmarks/studies/quick.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for records, tables, figures.", show_default="results/NAME")
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Run what of a plan is not done yet, then report on it.

    Stopped anywhere, the same command goes on where it was; a finished run is never repeated.
    """
    from ness_bench.studies.plan_file import read_plan
    from ness_bench.studies.study import run

    checked = read_plan(plan)
    folder = out or Path("results") / checked.name
    with progress_bars() as progress:
        bar = progress.add_task(f"runs of {checked.name}", total=None)
        errors = run(
            checked,
            folder,
            jobs or cores(),
            lambda total, done: progress.update(bar, total=total, completed=done),
            lambda: progress.advance(bar),
        )
    if errors:
        raise NessBenchError("runs failed:\n  " + "\n  ".join(errors))
    report(folder)


@app.command("report")
def report(folder: Annotated[Path, typer.Argument(help="Folder of a study that has been run.")]) -> None:
    """Write a study's tables and figures anew from its records, and print the table."""
    from rich.console import Console

    from ness_bench.reports.report import write_report

    written = write_report(folder)
    console = Console()
    for table in written.shown:
        console.print(table, "")
    print(f"{written.note} Written:")
    print("\n".join(f"  {path}" for path in written.files))
