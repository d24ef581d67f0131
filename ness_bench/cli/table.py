"""`ness-bench table`: published tables of trained architectures."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ness_bench.cli.shared import Jobs, cores, print_lines, progress_bars
from ness_bench.errors import NessBenchError

app = typer.Typer(
    help="Published tables of trained architectures: look into one, look an architecture up, import official files.",
    no_args_is_help=True,
)
import_app = typer.Typer(
    help="Import the official files into a folder of arrays, which opens in milliseconds.", no_args_is_help=True
)
app.add_typer(import_app, name="import")

TableName = Annotated[
    str,
    typer.Argument(
        help="cifar10, cifar10-valid, cifar100 or imagenet16-120 of the embedded table, embedded for all of it, or the "
        "folder of an imported table."
    ),
]
TableOut = Annotated[Path, typer.Option(help="Folder of the imported table.")]
Partial = Annotated[bool, typer.Option("--partial", help="Import what there is, if it is not all 15,625.")]


def _datasets(name: str) -> list[str]:
    """The data sets that a table's name speaks of."""
    from ness_bench.tables.table import DATASETS

    return [name] if name in DATASETS else list(DATASETS)


@app.command("info")
def info(table: TableName) -> None:
    """Say what a table holds: splits, epochs, seeds and the best of each; an imported one's digests are checked."""
    from ness_bench.tables.folder import check_digests
    from ness_bench.tables.named import is_embedded, table_named
    from ness_bench.tables.summary import describe

    opened = table_named(table)
    if not is_embedded(table):
        check_digests(Path(table))
    print_lines(describe(opened, _datasets(table)))


@app.command("query")
def query(
    table: TableName,
    arch: Annotated[
        str,
        typer.Option(help="A published string, a published index (0 to 15624), or six operation indices with --order."),
    ],
    order: Annotated[
        str | None,
        typer.Option(help="How six operation indices such as 3,0,3,1,0,1 are to be read: nas-bench-201 or naslib."),
    ] = None,
) -> None:
    """Look an architecture up: every accuracy of it, by seed, its training times, latency and size."""
    from ness_bench.tables.named import table_named
    from ness_bench.tables.summary import lookup

    opened = table_named(table)
    print_lines(lookup(opened, opened.row(_architecture(arch, order)), _datasets(table)))


def _architecture(text: str, order: str | None) -> "tuple[int, ...] | str | int":
    from ness_bench.spaces.nas_bench_201 import from_indices, from_naslib

    orders = {"nas-bench-201": from_indices, "naslib": from_naslib}
    if order is not None and order not in orders:
        raise NessBenchError(f'--order was given "{order}"; allowed: {", ".join(orders)}')
    numbers = text.strip().strip("()[]").split(",")
    if all(re.fullmatch(r"\s*-?\d{1,9}\s*", number) for number in numbers):
        if len(numbers) == 1 and order is None:
            return int(numbers[0])
        if order is None:
            raise NessBenchError(
                f'--arch was given the operation indices "{text}", which NAS-Bench-201 and NASLib read differently; '
                "say which with --order nas-bench-201 or --order naslib, or give the published string"
            )
        return orders[order]([int(number) for number in numbers])
    if order is not None:
        raise NessBenchError(f'--order says how six operation indices are to be read, but --arch was given "{text}"')
    return text


@import_app.command("nats")
def import_nats_bench(
    path: Annotated[
        Path, typer.Argument(help="The folder NATS-tss-v1_0-3ffb9-simple, or the file NATS-tss-v1_0-3ffb9.pickle.pbz2.")
    ],
    out: TableOut,
    partial: Partial = False,
    jobs: Jobs = None,
) -> None:
    """Import NATS-Bench's topology space: 12- and 200-epoch curves of every seed. Nothing in the files is executed."""
    from ness_bench.tables.nats_bench import import_nats

    with progress_bars() as progress:
        bar = progress.add_task("architectures", total=None)
        import_nats(
            path,
            out,
            partial=partial,
            workers=jobs or cores(),
            begun=lambda total: progress.update(bar, total=total),
            done=lambda: progress.advance(bar),
        )
    print(f"{out} is whole; `ness-bench table info {out}` says what it holds")


@import_app.command("nas-bench-201")
def import_nas_bench_201_file(
    path: Annotated[Path, typer.Argument(help="NAS-Bench-201-v1_0-e61699.pth or NAS-Bench-201-v1_1-096897.pth.")],
    out: TableOut,
    partial: Partial = False,
) -> None:
    """Import NAS-Bench-201 v1.0 or v1.1. Nothing in the file is executed."""
    from ness_bench.tables.nas_bench_201 import import_nas_bench_201

    with progress_bars() as progress:
        bar = progress.add_task("architectures", total=None)
        import_nas_bench_201(
            path,
            out,
            partial=partial,
            begun=lambda total: progress.update(bar, total=total),
            done=lambda: progress.advance(bar),
        )
    print(f"{out} is whole; `ness-bench table info {out}` says what it holds")


@import_app.command("columns")
def import_columns_file(
    path: Annotated[Path, typer.Argument(help="A Parquet or CSV file, a row an architecture.")], out: TableOut
) -> None:
    """Import a community's copy of the table, a column a number.

    Its columns are arch (the published string) and, for each of c10, c100 and in16, what there is of: _valid200_s0 to
    _s2 (seeds 777, 888, 999) or _valid200_mean, _test200_mean, _valid12, _test12, _train_time200_s (of c10: trained on
    half of the images), _latency_s, _params_M.
    """
    from ness_bench.tables.columns import import_columns

    import_columns(path, out)
    print(f"{out} is whole; `ness-bench table info {out}` says what it holds")
