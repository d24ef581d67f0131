"""Banks by name: the shipped ones, or any folder."""

from importlib.resources import files
from pathlib import Path

from ness_bench.banks.bank import Bank, open_bank
from ness_bench.errors import NessBenchError, nearest

_SHIPPED = files("ness_bench.banks") / "shipped"


def shipped() -> list[str]:
    """The names of the banks that come with the package."""
    return sorted(folder.name for folder in Path(str(_SHIPPED)).iterdir() if folder.is_dir())


def folder_of(name: str) -> Path:
    """Where the bank of that name lies; a name that holds a path separator, or is an existing folder, is a folder.

    Raises:
        NessBenchError: neither a shipped bank nor a folder.
    """
    if name in shipped():
        return Path(str(_SHIPPED / name))
    if Path(name).is_dir():
        return Path(name)
    raise NessBenchError(
        f'unknown bank "{name}"{nearest(name, shipped())}; shipped: {", ".join(shipped())}; or give a bank\'s folder'
    )


def open_named(name: str) -> Bank:
    """Open a shipped bank by its name, or the bank in a folder."""
    return open_bank(folder_of(name))
