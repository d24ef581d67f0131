"""The documentation names everything that there is, and its links lead somewhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from ness_bench.cli import app
from ness_bench.methods.method import methods
from ness_bench.studies.metrics import OWN
from ness_bench.studies.plan_file import _KINDS
from ness_bench.training.one_shot.kinds import KINDS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one as high or higher."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    if found is None:
        return ""
    rest = text[found.end() :]
    after = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: after.start()] if after else rest


def row(constant: str, default: object) -> str:
    return f"| `{constant}` | `{json.dumps(default)}` |"


@pytest.mark.parametrize("name", methods())
def test_a_method_has_a_section_with_its_source_and_constants(name: str) -> None:
    pages = [page for page in (DOCS / "methods").glob("*.md") if section(page.read_text(), f"`{name}`")]
    assert len(pages) == 1, f"a page of docs/methods must have the heading ## `{name}`"
    text = pages[0].read_text()
    own, shared = section(text, f"`{name}`"), section(text, "What they share")
    assert "**Source.**" in own
    method = methods()[name]()
    missing = [
        row(field.name, getattr(method, field.name))
        for field in fields(method)
        if row(field.name, getattr(method, field.name)) not in own + shared
    ]
    assert not missing, f"{pages[0].name} lacks these constants of {name}, or has other defaults: {missing}"
    assert f"`{name}`" in page("methods/index.md")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_supernet_is_described_with_its_constants(kind: str) -> None:
    ways = section(page("methods/one-shot.md"), "Six ways to train a supernet")
    assert len(KINDS) == 6
    assert re.search(rf"^### .*`{kind}`", ways, re.MULTILINE), f"a heading with `{kind}`"
    recipe = KINDS[kind].recipe()
    rates = next(line for line in ways.splitlines() if line.startswith(f"| `{kind}` |"))
    cells = [cell.strip() for cell in rates.split("|")[2:-2]]
    values = (recipe.learning_rate, recipe.final_learning_rate, recipe.batch_size, recipe.weight_decay)
    assert [float(cell) for cell in cells[:5]] == [*values, recipe.gradient_clip]
    assert cells[5] == ("Nesterov" if recipe.nesterov else "plain")
    shown = {
        "learning_rate",
        "final_learning_rate",
        "batch_size",
        "weight_decay",
        "gradient_clip",
        "nesterov",
        "momentum",
    }
    constants = section(ways, "Constants")
    for field in fields(recipe):
        if field.name not in shown:
            default = json.dumps(getattr(recipe, field.name))
            lines = [line for line in constants.splitlines() if line.startswith(f"| `{field.name}` |")]
            of_kind = [
                line for line in lines if f"`{kind}`" in line or (recipe_has_alpha(recipe) and "all with α" in line)
            ]
            assert [line.split("|")[3].strip() for line in of_kind] == [f"`{default}`"], f"{field.name} of {kind}"


def recipe_has_alpha(recipe: object) -> bool:
    return hasattr(recipe, "alpha_scale")


def commands(command: object, path: str) -> Iterator[str]:
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path


def test_every_command_is_listed() -> None:
    listed = set(re.findall(r"^\| `(ness-bench [a-z0-9 -]+)` \|", page("reference/cli.md"), re.MULTILINE))
    assert listed == set(commands(typer.main.get_command(app), "ness-bench"))


def test_every_key_of_a_plan_is_described() -> None:
    plans = section(page("formats.md"), "Plan files")
    described = set(re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in plans.splitlines() if "|" in line)))
    of_plans = {key for kind in _KINDS.values() for key in kind.model_fields}
    assert of_plans <= described


def test_every_metric_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", page("howto/read-a-report.md"), re.MULTILINE))
    assert {metric.name for metric in OWN} <= explained


PAGES = [ROOT / "README.md", *(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    dead = [link for link in links if link and "://" not in link and not (path.parent / link).exists()]
    assert not dead
