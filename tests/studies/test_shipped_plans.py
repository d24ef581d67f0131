"""The plans under benchmarks/studies/, at each of their scales."""

import tomllib
from pathlib import Path

import pytest

from ness_bench.studies.plan_file import read_plan

PLANS = sorted((Path(__file__).parents[2] / "benchmarks" / "studies").glob("*.toml"))
SCALES = [(file, preset) for file in PLANS for preset in (None, *tomllib.loads(file.read_text()).get("presets", ()))]


@pytest.mark.parametrize(("file", "preset"), SCALES, ids=[f"{file.stem}-{preset}" for file, preset in SCALES])
def test_a_shipped_plan_can_be_run(file, preset):
    plan = read_plan(file, preset)
    assert plan.runs()
    assert plan.name == file.stem + (f"-{preset}" if preset else "")
    if preset == "smoke":
        assert len(plan.runs()) <= 50
