"""Tables by name: the embedded one, or a folder that `ness-bench table import` made."""

from functools import lru_cache
from pathlib import Path

from ness_bench.errors import NessBenchError, nearest
from ness_bench.tables.embedded import embedded
from ness_bench.tables.folder import open_table
from ness_bench.tables.table import DATASETS, Table

EMBEDDED = "embedded"


def is_embedded(name: str) -> bool:
    """Whether a name means the embedded table, even if there is a folder of that name."""
    return name == EMBEDDED or name in DATASETS


@lru_cache(maxsize=4)
def table_named(name: str) -> Table:
    """The table `embedded`, also called by one of its data sets, or the table in a folder.

    Raises:
        NessBenchError: neither.
    """
    if is_embedded(name):
        return embedded()
    if Path(name).is_dir():
        return open_table(Path(name))
    known = [EMBEDDED, *DATASETS]
    raise NessBenchError(
        f'unknown table "{name}"{nearest(name, known)}; give {EMBEDDED}, one of its data sets ({", ".join(DATASETS)}), '
        "or the folder of an imported table"
    )
