"""`ness-bench study`: what a plan would run, run it, report on its records, hold them against a baseline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ness_bench.cli import gate
from ness_bench.cli.shared import Jobs, cores, key_values, print_lines, progress_bars
from ness_bench.errors import NessBenchError

if TYPE_CHECKING:
    from ness_bench.studies.study import Progress

app = typer.Typer(help="Studies: plan, run, report, check against a baseline.", no_args_is_help=True)

PlanFile = Annotated[Path, typer.Argument(help="A TOML file such as benchmarks/studies/quick.toml.")]
Preset = Annotated[
    str | None, typer.Option(help="A scale that the plan offers, such as smoke (seconds), quick (minutes) or full.")
]
Folder = Annotated[
    Path | None, typer.Option("--out", help="Folder for records, tables, figures.", show_default="results/NAME")
]


@app.command("plan")
def plan(file: PlanFile, preset: Preset = None, out: Folder = None, jobs: Jobs = None) -> None:
    """Print what a plan would run, what of it is done, how long the rest takes and what it may spend.

    Some runs are done to time them; nothing is written.
    """
    from ness_bench.studies.forecast import forecast
    from ness_bench.studies.plan_file import read_plan
    from ness_bench.studies.study import finished

    checked, workers = read_plan(file, preset), jobs or cores()
    folder, runs = out or Path("results") / checked.name, checked.runs()
    done, expected = finished(folder, runs), forecast(checked, patience=10)
    left = expected.seconds * (len(runs) - done) / len(runs) / workers
    content = checked.model_dump(exclude={"methods", "reports"})
    labels = list(dict.fromkeys(run.label for run in runs))
    lines = [(key.replace("_", " "), _in_words(value)) for key, value in content.items() if value != ""]
    lines += [
        ("runs of", ", ".join(labels)),
        ("runs", f"{len(runs):,}, of which {done:,} are done in {folder}"),
        ("may spend", checked.ceiling()),
        ("takes", f"about {_duration(left)} on {workers} cores, by {expected.timed} runs timed here"),
    ]
    print_lines([(label, value) for label, value in lines if value])
    for title, error in expected.errors.items():
        print(f"would fail: {title}: {error}")


@app.command("run")
def run(
    plan: PlanFile,
    out: Folder = None,
    preset: Preset = None,
    jobs: Jobs = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds after which a run is ended and counts as failed.")] = (
        3600
    ),
    engine: Annotated[str, typer.Option(help="Where runs are done: processes, ray or slurm.")] = "processes",
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster, as in 10.0.0.1:6379 or auto; else a local one is started.")
    ] = None,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs that a run takes on a Ray cluster.")] = 0,
    slurm: Annotated[
        list[str] | None, typer.Option(help="An option of SLURM's jobs, as in --slurm partition=long --slurm time=60.")
    ] = None,
) -> None:
    """Run what of a plan is not done yet, then report on it.

    Stopped anywhere, the same command goes on where it was; a finished run is never repeated, a failed one is tried
    again.
    """
    from ness_bench.engines.named import engine_named
    from ness_bench.studies.plan_file import read_plan
    from ness_bench.studies.study import run

    checked = read_plan(plan, preset)
    folder = out or Path("results") / checked.name
    workers = engine_named(
        engine, jobs or cores(), address=address, gpus=gpus, slurm=key_values("--slurm", slurm), folder=folder
    )
    with progress_bars() as progress:
        bar = progress.add_task(f"runs of {checked.name}", total=None)

        def begun(state: "Progress") -> None:
            progress.update(bar, total=state.runs, completed=state.runs - state.left)
            if state.damaged:
                progress.console.print(f"{state.damaged} records were not whole; their runs are done again")

        errors = run(checked, folder, workers, begun, lambda: progress.advance(bar), timeout)
    if errors:
        raise NessBenchError("runs failed:\n  " + "\n  ".join(errors))
    report(folder)


@app.command("report")
def report(folder: Annotated[Path, typer.Argument(help="Folder of a study that has been run.")]) -> None:
    """Write a study's tables, figures and page anew from its records, and print the table."""
    from rich.console import Console

    from ness_bench.reports.report import write_report

    written = write_report(folder)
    console = Console()
    for table in written.shown:
        console.print(table, "")
    print(f"{written.note} Written:")
    by_folder: dict[Path, list[str]] = {}
    for path in written.files:
        by_folder.setdefault(path.parent, []).append(path.name)
    for where, names in by_folder.items():
        print(f"  {where}/: {', '.join(names)}")


app.command("check")(gate.check)
app.command("baseline")(gate.baseline)


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_in_words(of)}" for key, of in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
