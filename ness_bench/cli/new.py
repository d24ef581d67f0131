"""`ness-bench new`: begin an extension of your own."""

import builtins
import keyword
import os
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ness_bench.cli.shared import print_lines
from ness_bench.errors import NessBenchError

app = typer.Typer(help="Begin an extension of your own: a package with a method.", no_args_is_help=True)

_FILES = {
    "my_method.py": "the method, with comments that say where to change what",
    "tests/test_my_method.py": "what every method owes, and what yours promises",
    "pyproject.toml": "how ness_bench finds it",
    "README.md": "what others read first",
}
"""Of the template, which is a package that works, and what each is for."""

_LONGEST = 40
"""Characters of a name, so that lines that hold it stay short."""

_RESERVED = ("conftest", "setup", "tests")
"""Modules that pytest, setuptools and the package itself take for something else."""


@app.command("method")
def new_method(
    name: Annotated[str, typer.Argument(help="What it will be called: lower-case words joined by hyphens.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; it must not exist.", show_default="NAME")] = None,
) -> None:
    """Write a package with a search method: it works as it stands, and comments say where to change what."""
    folder = out or Path(name)
    names = _names(name)
    if folder.exists():
        raise NessBenchError(f"{folder} exists already; give another folder by --out, or remove it")
    _write(folder, names)
    print_lines([(str(folder / _renamed(file, names)), purpose) for file, purpose in _FILES.items()])
    print(
        f"\nNext:\n  pip install --editable {folder}\n  pytest {folder}\n"
        f"  ness-bench search {name} --budget 40 --size 3"
    )


def _write(folder: Path, names: dict[str, str]) -> None:
    """Whole or not at all: under a temporary name first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        for file in _FILES:
            path = temporary / _renamed(file, names)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_renamed(_template(file), names), encoding="utf-8")
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _template(file: str) -> str:
    return (files("ness_bench.cli") / "method_template" / file).read_text(encoding="utf-8")


def _renamed(text: str, names: dict[str, str]) -> str:
    for given, name in names.items():
        text = text.replace(given, name)
    return text


def _names(name: str) -> dict[str, str]:
    """What stands in a method's package for what stands in the template: its name, as a module and as a class.

    Raises:
        NessBenchError: it is no name, or it is taken.
    """
    from importlib.util import find_spec

    from ness_bench.methods.method import methods

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > _LONGEST:
        raise NessBenchError(
            f'the method was to be called "{name}"; a name is lower-case words joined by hyphens, such as '
            f"median-search, of at most {_LONGEST} characters"
        )
    if name in methods():
        raise NessBenchError(f'there is a method "{name}" already; give another name')
    module, kind = name.replace("-", "_"), "".join(word.capitalize() for word in name.split("-"))
    if keyword.iskeyword(module) or module in _RESERVED or module in sys.stdlib_module_names or find_spec(module):
        raise NessBenchError(f'a method "{name}" would be the module {module}, and that is taken; give another name')
    if hasattr(builtins, kind) or re.search(rf"\b{kind}\b", _template("my_method.py")):
        raise NessBenchError(f'a method "{name}" would be the class {kind}, and that is taken; give another name')
    return {"my-method": name, "my_method": module, "MyMethod": kind}
