import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.run import execute, id_of
from ness_bench.studies.study import load_records, run


def plan(bank, **changes):
    content = {
        "name": "small",
        "bank": str(bank.folder),
        "methods": ["nes-rs", "random-ensemble"],
        "sizes": [2, 3],
        "budgets": [10.0, 20.0],
        "repetitions": 3,
    }
    return EnsemblePlan.model_validate(content | changes)


def write(path, plan):
    lines = [f"{key} = {json.dumps(value)}" for key, value in plan.model_dump().items() if key != "methods"]
    lines.append(f"methods = {json.dumps([method.name for method in plan.methods])}")
    path.write_text("\n".join(lines))
    return path


def do(plan, folder, jobs=1):
    done = []
    errors = run(plan, folder, jobs, lambda *counts: done.append(counts), lambda: done.append(None))
    return errors, done


def records(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").iterdir()}


def test_a_study_is_the_same_whatever_the_workers_and_is_never_repeated(bank, tmp_path):
    study = plan(bank)
    errors, done = do(study, tmp_path / "one")
    assert errors == []
    assert done[0] == (24, 0)
    assert len(done) == 25
    do(study, tmp_path / "two", jobs=2)
    assert records(tmp_path / "one") == records(tmp_path / "two")
    assert do(study, tmp_path / "one")[1] == [(24, 24)]
    frame = load_records(tmp_path / "one")
    assert len(frame) == 24
    assert (frame["cost"] <= frame["budget"] * (1 + 1e-9)).all()
    assert np.isfinite(frame.select_dtypes("number")).all(axis=None)


def test_a_killed_study_goes_on(bank, tmp_path):
    """SIGKILL at moments spread over the run; the records are those of an undisturbed run."""
    study = plan(bank, repetitions=8)
    file = write(tmp_path / "plan.toml", study)
    do(study, tmp_path / "whole")
    command = [sys.executable, "-m", "ness_bench.cli", "study", "run", str(file), "--out", str(tmp_path / "killed")]
    counts = []
    for _ in range(4):
        process = subprocess.Popen([*command, "--jobs", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(counts and records(tmp_path / "killed"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            folder = tmp_path / "killed" / "runs"
            if folder.is_dir() and len(list(folder.glob("*.json"))) > before + 3:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts.append(len(list((tmp_path / "killed" / "runs").glob("*.json"))))
    assert counts == sorted(counts)
    assert counts[0] < len(records(tmp_path / "whole"))
    do(study, tmp_path / "killed")
    killed = {name: content for name, content in records(tmp_path / "killed").items() if name.endswith(".json")}
    assert killed == records(tmp_path / "whole")


def test_a_study_killed_after_its_first_file_goes_on(bank, tmp_path):
    study = plan(bank, repetitions=1)
    do(study, tmp_path / "whole")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".plan.json.123.tmp").write_text("{")
    do(study, tmp_path / "begun")
    assert records(tmp_path / "begun") == records(tmp_path / "whole")
    assert (tmp_path / "begun" / "environment.json").is_file()


def test_a_folder_of_another_plan_is_refused(bank, tmp_path):
    do(plan(bank, repetitions=1), tmp_path / "study")
    before = records(tmp_path / "study")
    with pytest.raises(NessBenchError, match="holds the runs of another plan"):
        do(plan(bank, repetitions=2), tmp_path / "study")
    assert records(tmp_path / "study") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    with pytest.raises(NessBenchError, match="neither an empty folder nor a study"):
        do(plan(bank), tmp_path / "other")
    with pytest.raises(NessBenchError, match="neither an empty folder nor a study"):
        do(plan(bank), tmp_path / "other" / "thesis.txt")


def test_failed_runs_are_recorded_and_make_a_table_refuse(bank, tmp_path):
    study = plan(bank, methods=["random-search", "darts"], budgets=[4.0], repetitions=1)
    errors, _ = do(study, tmp_path / "study")
    assert all(error.startswith("darts, size ") for error in errors)
    with pytest.raises(NessBenchError, match=r"lacks 2 of 4 runs.*\n  darts, size 2, budget 4, seed 0: "):
        load_records(tmp_path / "study")


def test_a_failed_run_is_tried_again_and_a_damaged_record_is_named(bank, tmp_path):
    study = plan(bank, methods=["darts"], sizes=[2], budgets=[4.0], repetitions=1)
    folder = tmp_path / "study"
    assert len(do(study, folder)[0]) == 1
    assert do(study, folder)[1][0] == (1, 0)
    (path,) = (folder / "runs").glob("*.json")
    for damage in (b"", b"{", b"[]", b'"error"', b'{"result": {}}', b"\xff"):
        path.write_bytes(damage)
        for act in (lambda: do(study, folder), lambda: load_records(folder)):
            with pytest.raises(NessBenchError, match="is damaged; remove it"):
                act()


def test_a_method_cannot_return_what_it_did_not_pay_for(bank, monkeypatch):
    from dataclasses import dataclass

    from ness_bench.methods import method
    from ness_bench.tasks.task import Ensemble, Member

    @dataclass(frozen=True)
    class Thief:
        members: int = 1

        def search(self, task, rng):
            val = np.zeros((len(task.val_labels), 10), np.float32)
            return Ensemble.uniform([Member(a, 0, val) for a in task.space.classes[: self.members]])

    @dataclass(frozen=True)
    class Glutton:
        def search(self, task, rng):
            return Ensemble.uniform([task.train(a) for a in task.space.classes[: task.ensemble_size + 1]])

    monkeypatch.setitem(method._registered, "thief", Thief)
    monkeypatch.setitem(method._registered, "glutton", Glutton)
    method.methods.cache_clear()
    for name in ("thief", "glutton"):
        record = execute(plan(bank, methods=[name]).runs()[0])
        assert "trained by its task" in record["error"]
    method.methods.cache_clear()


def test_the_id_names_the_content(bank):
    first = plan(bank).runs()[0]
    same = plan(bank, repetitions=5).runs()[0]
    assert id_of(first) == id_of(same)
    ids = {id_of(spec) for spec in plan(bank).runs()}
    assert len(ids) == 24
    changed = plan(bank, methods=[{"name": "nes-re", "label": "small", "constants": {"population": 5}}, "nes-re"])
    assert len({id_of(spec) for spec in changed.runs()}) == 24


def test_a_record_is_reproducible_and_holds_both_splits(bank):
    spec = plan(bank).runs()[0]
    record = execute(spec)
    assert json.dumps(record) == json.dumps(execute(spec))
    result = record["result"]
    rows = [bank.members.row(_parse(m["architecture"]), m["seed"]) for m in result["members"]]
    mean = bank.test.probabilities(rows).mean(0)
    assert result["test"]["accuracy"] == pytest.approx((mean.argmax(-1) == bank.test.labels).mean())
    assert result["val"] != result["test"]


def _parse(string):
    from ness_bench.spaces.nas_bench_201 import parse

    return parse(string)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sises = [3]", 'unknown key "sises"; did you mean "sizes"'),
        ("sizes = [0]", "sizes.0: Input should be greater than 0"),
        ("budgets = []", "budgets: List should have at least 1 item"),
        (
            'methods = [{ name = "nes-rs", constant = {} }]',
            'unknown key "methods.0.constant"; did you mean "constants"',
        ),
        ("sizes = [", "cannot be read as TOML"),
        ('methods = ["nes-sr"]', 'unknown method "nes-sr"; did you mean "nes-rs"'),
        ('methods = ["nes-rs", "nes-rs"]', "the same run twice"),
        ('methods = [{ name = "nes-rs", label = "a" }, { name = "nes-rs", label = "b" }]', "the same run twice"),
        ("sizes = [3, 3]", "the same run twice"),
        (
            'methods = ["nes-re", { name = "nes-re", label = "b", constants = { population = 50 } }]',
            "the same run twice",
        ),
        ("sizes = [true]", "sizes.0: Input should be a valid integer"),
        ("sizes = [16]", "less than or equal to 15 (given: 16)"),
        ("budgets = [0.001]", "pays for no member"),
        ("budgets = [inf]", "budgets.0: Input should be a finite number"),
        ('bank = "fashoin"', 'unknown bank "fashoin"'),
    ],
)
def test_bad_plans_are_refused(bank, tmp_path, line, message):
    lines = {
        "name": 'name = "p"', "bank": f'bank = "{bank.folder}"', "methods": 'methods = ["nes-rs"]',
        "sizes": "sizes = [3]", "budgets": "budgets = [10]", "repetitions": "repetitions = 1",
    }  # fmt: skip
    lines[line.split(" ")[0]] = line
    file = tmp_path / "plan.toml"
    file.write_text("\n".join(lines.values()))
    with pytest.raises(NessBenchError) as error:
        read_plan(file).runs()
    assert message in str(error.value)


def test_a_missing_key_or_file_is_named(tmp_path):
    (tmp_path / "plan.toml").write_text('name = "p"')
    with pytest.raises(NessBenchError, match="exactly one of the keys factors, bank, protocol, temperatures"):
        read_plan(tmp_path / "plan.toml")
    with pytest.raises(NessBenchError, match="there is no plan"):
        read_plan(tmp_path / "none.toml")
