"""`make speed` fails where a kernel of ours has lost its speed, and tells which."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "benchmarks" / "conftest.py"

BENCHMARKS = """
import time
import pytest

@pytest.mark.quick
@pytest.mark.parametrize(("way", "seconds", "items"), [("slow", 0.02, 1), ("fast", 0.02, 10)])
def test_sleep(benchmark, way, seconds, items):
    benchmark.group = "a sleep"
    benchmark.extra_info = {"way": way, "items": items, "floor": FLOOR if way == "fast" else 1}
    benchmark.pedantic(time.sleep, (seconds,), rounds=3)

def test_alone(benchmark):
    benchmark.extra_info["floor"] = 1000
    benchmark.pedantic(time.sleep, (0.001,), rounds=3)
"""


@pytest.mark.parametrize(("floor", "code", "told"), [(5, 0, 0), (20, 1, 1)])
def test_a_way_below_its_floor_fails_the_run(tmp_path, floor, code, told):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_sleeps.py").write_text(BENCHMARKS.replace("FLOOR", str(floor)))
    plain = ["--strict-markers", "-p", "no:cacheprovider", "-p", "no:xdist"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # times nothing else
    command = [sys.executable, "-m", "pytest", *plain, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=alone)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert "3 passed" in ended.stdout
    below = [line for line in ended.stdout.splitlines() if line.startswith("below its floor")]
    assert len(below) == told
    assert all("a sleep: fast is " in line and f"must be {floor} times" in line for line in below)
