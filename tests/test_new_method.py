"""`ness-bench new method`: what it writes works as it stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from failing import promises_of
from installed import install

from ness_bench.testing import MethodContract

SKIPPED, OWN = 1, 1
"""It is no MultiTrial, and has one test beside the contract's."""


def new_method(*arguments, folder):
    command = [sys.executable, "-m", "ness_bench.cli", "new", "method", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which `far-sighted-2` was written, and what was printed."""
    folder = tmp_path_factory.mktemp("workplace")
    written = new_method("far-sighted-2", folder=folder)
    assert written.returncode == 0, written.stderr
    return folder, written.stdout


def test_what_it_writes_is_named_throughout(workplace):
    folder, shown = workplace
    assert [path.name for path in folder.iterdir()] == ["far-sighted-2"]
    files = content(folder / "far-sighted-2")
    assert set(files) == {"pyproject.toml", "README.md", "far_sighted_2.py", "tests/test_far_sighted_2.py"}
    assert not any(name in text for text in files.values() for name in ("my-method", "my_method", "MyMethod"))
    assert "class FarSighted2:" in files["far_sighted_2.py"]
    assert all(f"far-sighted-2/{name}" in shown for name in files)
    for command in ("pip install --editable far-sighted-2", "pytest far-sighted-2", "ness-bench search far-sighted-2"):
        assert command in shown


def test_it_installs_passes_its_tests_and_searches(workplace, bank, tmp_path):
    folder, _ = workplace
    installed = install(folder / "far-sighted-2", tmp_path)
    assert installed.passed_tests() == len(promises_of(MethodContract)) - SKIPPED + OWN
    arguments = ("search", "far-sighted-2", "--bank", bank.folder, "--budget", 10, "--size", 2, "--set", "explored=1")
    assert len(json.loads(installed.ness_bench(*arguments).stdout)["members"]) == 2
    taken = installed.ness_bench("new", "method", "far-sighted-2", "--out", tmp_path / "other")
    assert taken.returncode == 2
    assert 'there is a method "far-sighted-2" already' in taken.stderr


def test_it_is_written_in_the_style_of_ness_bench(workplace):
    folder, _ = workplace
    root = Path(__file__).parents[1]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", root / "pyproject.toml", folder]
        shown = subprocess.run(ruff, capture_output=True, text=True, cwd=root)
        assert shown.returncode == 0, shown.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MedianSearch", "lower-case words joined by hyphens"),
        ("median_search", "lower-case words joined by hyphens"),
        ("x" * 41, "at most 40 characters"),
        ("nes-rs", 'there is a method "nes-rs" already'),
        ("random", "would be the module random, and that is taken"),
        ("numpy", "would be the module numpy"),
        ("conftest", "would be the module conftest"),
        ("lambda", "would be the module lambda"),
        ("budget-exhausted", "would be the class BudgetExhausted"),
        ("value-error", "would be the class ValueError"),
    ],
)
def test_a_name_that_will_not_do_is_told_in_a_sentence(tmp_path, name, message):
    shown = new_method(name, folder=tmp_path)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    shown = new_method("far-sighted", "--out", "mine", folder=tmp_path)
    assert shown.returncode == 2
    assert "mine exists already; give another folder by --out" in shown.stderr
    assert content(tmp_path) == {"mine/notes.txt": "mine"}
    assert new_method("far-sighted", "--out", Path("deep") / "down", folder=tmp_path).returncode == 0
    assert (tmp_path / "deep" / "down" / "far_sighted.py").is_file()
