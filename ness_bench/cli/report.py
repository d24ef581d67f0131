"""`ness-bench report`: two studies held against each other."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Reports on more than one study.", no_args_is_help=True)


@app.callback()
def reports() -> None: ...


@app.command("compare")
def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a study of ensembles, A.")],
    b: Annotated[Path, typer.Argument(help="Folder of another on the same bank, B.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for compared.csv and compared.md.", show_default="nothing is written")
    ] = None,
) -> None:
    """What B changed against A: paired differences of what both ran, with their intervals and tests.

    A and B may differ in the version of ness_bench, the constants of a method or its code; methods are the same if they
    have the same label.
    """
    from rich.console import Console

    from ness_bench.reports.compared import NOTE, write_compared
    from ness_bench.reports.compared import compare as held_against

    compared = held_against(a, b)
    console = Console()
    for table in compared.tables():
        console.print(table, "")
    print("\n".join(compared.remarks))
    print(NOTE)
    if out is not None:
        print(f"Written: {', '.join(map(str, write_compared(compared, out)))}")
