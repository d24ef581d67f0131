"""Files that are whole or absent: written under a temporary name, flushed to disk, renamed."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` on a temporary file beside `path`, then rename it to `path`.

    A process killed at any moment leaves either the old file or the new one; at worst a file with the
    process's number and the suffix `.tmp` stays behind, which no reader looks at.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)  # a full disk is not to be filled further
        raise


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where files lie that can be made again: `NESS_BENCH_CACHE`, or `ness_bench` in the user's cache folder."""
    chosen = os.environ.get("NESS_BENCH_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else home / "ness_bench"
