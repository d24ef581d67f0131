"""`ness-bench study baseline` and `ness-bench study check`: are methods as good as when a baseline was written?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ness_bench.studies.gate import Check

Folder = Annotated[Path, typer.Argument(help="Folder of a study that has been run; its plan has margins.")]

DEFAULT = Path("results/baseline.json")
WIDE = 120
"""Characters in a line at least, so that no log or narrow terminal cuts a number off."""


def baseline(
    folder: Folder,
    reason: Annotated[str, typer.Option(help="Why later runs are held against these: what changed, and is meant to.")],
    out: Annotated[
        Path, typer.Option(help="The baseline's file, to be kept with the code; replaced if it is there.")
    ] = (DEFAULT),
) -> None:
    """Write what a study's runs scored as the baseline of later runs."""
    from datetime import UTC, datetime

    from ness_bench.studies.baseline import baseline_of, write_baseline
    from ness_bench.studies.study import load_records, read_study

    written = baseline_of(read_study(folder), load_records(folder), reason, datetime.now(UTC).date())
    write_baseline(out, written)
    print(
        f"{out}: {', '.join(written.margins)} of {len(written.cells)} cells; commit it with what it is the baseline of"
    )


def check(
    folder: Folder,
    against: Annotated[Path, typer.Option(help="The baseline's file.")] = DEFAULT,
) -> None:
    """Check that no method of a study has become worse than its baseline by a margin or more.

    Ends with exit code 1 and a table of what fell, or with 2 if the two cannot be compared. Each method, size, budget
    and metric is tested for non-inferiority, paired by seed, or for equivalence if neither more nor less is better.
    """
    from ness_bench.studies.baseline import read_baseline
    from ness_bench.studies.gate import check
    from ness_bench.studies.study import load_records, read_study

    held = read_baseline(against)
    outcome = check(held, read_study(folder), load_records(folder))
    for called in outcome.new:
        print(f"new, not checked: {called}")
    total, fallen = len(outcome.checks), outcome.fallen
    if not fallen:
        print(f"all {total} hold, {sum(one.same for one in outcome.checks)} of them without any change")
        return
    _print_table(fallen)
    print(
        f"{len(fallen)} of {total} fell: the bound of the mean change over {held.repetitions} seeds, at "
        f"{100 * held.level:g} % confidence, reaches the margin. If that is meant, write the baseline anew, and why:\n"
        f'  ness-bench study baseline {folder} --out {against} --reason "…"'
    )
    raise typer.Exit(1)


def _print_table(fallen: "list[Check]") -> None:
    """A table a (size, budget)."""
    from rich.console import Console
    from rich.markup import escape

    from ness_bench.reports.text import terminal_table

    console = Console(width=max(Console().width, WIDE))
    heads = ["method", "metric", "was", "now", "change", "bound", "margin"]
    for size, budget in dict.fromkeys((one.size, one.budget) for one in fallen):
        table = terminal_table(f"Fell: ensemble size {size}, budget {budget:g} TE", heads)
        for one in fallen:
            if (one.size, one.budget) == (size, budget):
                means = (f"{value:.{one.decimals}f}" for value in (one.was, one.now))
                changes = [f"{value:+.{one.decimals}f}" for value in (one.difference, one.bound, one.margin)]
                if one.two_sided:
                    changes[-1] = changes[-1].replace("+", "±")
                table.add_row(escape(one.method), one.metric, *means, *changes)
        console.print(table, "")
