"""MD5 sums: what data sets are published with. They tell damage, not forgery."""

import hashlib
from pathlib import Path


def md5_of(path: Path) -> str:
    """The MD5 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
