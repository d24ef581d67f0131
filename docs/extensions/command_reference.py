"""The directive `command-reference`: every command of `ness-bench`, its arguments and its options, from its help."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ness_bench.cli import app as command_line


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by how it is called."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")
    else:
        yield path, command


def _text(of_help: str | None) -> str:
    """A help text, options in it set as code."""
    parts = re.split(r"(`[^`]+`)", inspect.cleandoc(of_help or ""))
    return "".join(
        part if place % 2 else re.sub(r"--[a-z][a-z-]*", r"`\g<0>`", part) for place, part in enumerate(parts)
    )


def _parameter(parameter: Any) -> str:
    """An item of a definition list: an argument or an option, and what it is for."""
    if parameter.param_type_name == "argument":
        name = parameter.name.upper() + (" …" if parameter.nargs == -1 else "")
    else:
        names = " / ".join([*parameter.opts, *parameter.secondary_opts])
        name = names if parameter.is_flag else f"{names} {parameter.name.upper()}"
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    if parameter.required:
        note = " Required." if parameter.param_type_name == "option" else ""
    else:
        note = f" Default: {default}." if isinstance(default, str | int | float) and not parameter.is_flag else ""
    return f"`{name}`\n: {_text(parameter.help)}{note}\n"


def describe(path: str, command: Any) -> str:
    """A section of Markdown."""
    shown = [parameter for parameter in command.params if parameter.name != "help"]
    return "\n".join([f"## `{path}`\n", f"{_text(command.help)}\n", *map(_parameter, shown)])


class CommandReference(SphinxDirective):
    """A section a command."""

    def run(self) -> list[nodes.Node]:
        found = commands(typer.main.get_command(command_line), "ness-bench")
        text = "\n".join(describe(path, command) for path, command in found)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
