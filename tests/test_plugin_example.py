"""A package that extends ness_bench from outside, as its users would install and run it."""

import json
from pathlib import Path

import numpy as np
import pytest
from failing import promises_of
from installed import install

from ness_bench.spaces.nas_bench_201 import parse
from ness_bench.testing import MethodContract, MetricContract

SKIPPED, OWN = 1, 2
"""It is no MultiTrial, and has two tests beside the contracts'."""


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return install(Path(__file__).parent / "plugin_example", tmp_path_factory.mktemp("example"))


def test_its_method_is_listed_and_searches(example, bank):
    assert "top-m" in example.ness_bench("methods").stdout
    shown = example.ness_bench("search", "top-m", "--bank", bank.folder, "--budget", 1000, "--size", 3)
    losses = {}
    for row, (architecture, seed) in enumerate(zip(bank.members.architectures, bank.members.seeds, strict=True)):
        if seed == 0:
            losses[architecture] = -np.log(bank.val.true_class([row])).mean()
    found = [parse(member["architecture"]) for member in json.loads(shown.stdout)["members"]]
    assert found == sorted(losses, key=losses.get)[:3]


def test_its_own_tests_pass(example, bank):
    expected = len(promises_of(MethodContract)) + len(promises_of(MetricContract)) - SKIPPED + OWN
    assert example.passed_tests() == expected


def test_a_plan_can_ask_for_its_metric(example, bank, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'name = "worst"\nbank = "{bank.folder}"\nmethods = ["top-m", "nes-rs"]\nmetrics = ["nll", "worst_class"]\n'
        'sizes = [3]\nbudgets = [20]\nrepetitions = 2\nreports = ["tables"]\n'
    )
    shown = example.ness_bench("study", "run", plan, "--out", tmp_path / "out", "--jobs", 1)
    assert shown.returncode == 0, shown.stderr
    assert "| Worst class ↑ (%) |" in (tmp_path / "out" / "tables" / "comparison.md").read_text()
    results = [json.loads(path.read_bytes())["result"] for path in (tmp_path / "out" / "runs").glob("*.json")]
    assert len(results) == 4
    for result in results:
        rows = [bank.members.row(parse(member["architecture"]), member["seed"]) for member in result["members"]]
        right = bank.test.probabilities(rows).mean(0).argmax(-1) == bank.test.labels
        assert result["test"]["worst_class"] == min(right[bank.test.labels == of].mean() for of in range(10))


def test_a_misspelt_metric_is_told_with_the_nearest(example, bank, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'name = "worst"\nbank = "{bank.folder}"\nmethods = ["nes-rs"]\nmetrics = ["worst_clas"]\n'
        "sizes = [3]\nbudgets = [20]\nrepetitions = 2\n"
    )
    shown = example.ness_bench("study", "run", plan, "--out", tmp_path / "out")
    assert shown.returncode == 2
    assert 'unknown metric "worst_clas"; did you mean "worst_class"' in shown.stderr
