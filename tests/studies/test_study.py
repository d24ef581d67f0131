import json
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from small_plan import do, plan, records, write

from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError
from ness_bench.methods import method
from ness_bench.studies.forecast import forecast
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.run import execute, id_of
from ness_bench.studies.study import Progress, load_records, read_study, run
from ness_bench.tasks.task import Ensemble, Member


def test_a_study_is_the_same_whatever_the_workers_and_is_never_repeated(bank, tmp_path):
    study = plan(bank)
    errors, done = do(study, tmp_path / "one")
    assert errors == []
    assert done[0] == Progress(24, 24, 0)
    assert len(done) == 25
    do(study, tmp_path / "two", jobs=2)
    assert records(tmp_path / "one") == records(tmp_path / "two")
    assert do(study, tmp_path / "one")[1] == [Progress(24, 0, 0)]
    frame = load_records(tmp_path / "one")
    assert len(frame) == 24
    assert (frame["cost"] <= frame["budget"] * (1 + 1e-9)).all()
    assert np.isfinite(frame.select_dtypes("number")).all(axis=None)
    gaps = [sum(abs(c - r) for c, r in zip(b["confidence"], b["right"], strict=True)) for b in frame["reliability"]]
    assert np.array(gaps) / sum(frame["reliability"][0]["examples"]) == pytest.approx(frame["ece"])


def test_a_study_killed_after_its_first_file_goes_on(bank, tmp_path):
    study = plan(bank, repetitions=1)
    do(study, tmp_path / "whole")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".study.json.123.tmp").write_text("{")
    (tmp_path / "begun" / "environment.json").write_text("{}")
    do(study, tmp_path / "begun")
    assert records(tmp_path / "begun") == records(tmp_path / "whole")
    assert json.loads((tmp_path / "begun" / "environment.json").read_text())["python"]


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


def test_a_failed_run_is_tried_again(bank, tmp_path):
    study = plan(bank, methods=["darts"], sizes=[2], budgets=[4.0], repetitions=1)
    for _ in range(2):
        errors, (state, _) = do(study, tmp_path)
        assert len(errors) == 1
        assert state == Progress(1, 1, 0)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'"error"', b'{"schema": 2, "result": {}}', b"\xff"])
def test_a_half_written_record_is_refused_by_reports_and_its_run_done_again(bank, tmp_path, damage):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=2)
    do(study, tmp_path)
    whole = records(tmp_path)
    path = next((tmp_path / "runs").glob("*.json"))
    path.write_bytes(damage)
    with pytest.raises(NessBenchError, match="its record is damaged"):
        load_records(tmp_path)
    assert do(study, tmp_path)[1] == [Progress(2, 1, 1), None]
    assert records(tmp_path) == whole


def test_a_record_of_another_schema_is_never_mixed_in(bank, tmp_path):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=2)
    do(study, tmp_path)
    path = next((tmp_path / "runs").glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 1}))
    for act in (lambda: do(study, tmp_path), lambda: load_records(tmp_path)):
        with pytest.raises(NessBenchError, match="a record of schema 1 in a study of schema 2"):
            act()


def test_a_study_of_another_schema_or_version_is_told_apart(bank, tmp_path, monkeypatch):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=1)
    do(study, tmp_path / "now")
    path = tmp_path / "now" / "study.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"ness_bench": "0.0.1"}))
    with pytest.raises(NessBenchError, match=r"those of ness_bench 0\.0\.1"):
        do(study, tmp_path / "now")
    assert len(load_records(tmp_path / "now")) == 1  # to be compared
    path.write_text(json.dumps(content | {"schema": 3}))
    for act in (do, lambda _, folder: load_records(folder)):
        with pytest.raises(NessBenchError, match=r"is of schema 3, and this ness_bench .* reads 2"):
            act(study, tmp_path / "now")
    path.write_text("{")
    with pytest.raises(NessBenchError, match="is damaged"):
        load_records(tmp_path / "now")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "plan.json").write_text("{}")
    with pytest.raises(NessBenchError, match="a study of an older ness_bench"):
        do(study, tmp_path / "old")


def test_one_process_at_a_time_writes_into_a_folder(bank, tmp_path):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=1)
    refused = []

    def meanwhile(_):
        with pytest.raises(NessBenchError, match="another process is running the study"):
            do(study, tmp_path)
        refused.append(True)

    run(study, tmp_path, Processes(1), meanwhile, lambda: None)
    assert refused


def test_what_is_shown_of_a_study_may_change_and_nothing_runs_again(bank, tmp_path):
    do(plan(bank), tmp_path)
    again = plan(bank, metrics=["nll"], reference="random-ensemble", reports=["tables"])
    assert do(again, tmp_path)[1] == [Progress(24, 0, 0)]
    assert read_study(tmp_path).plan == again


def test_a_method_may_be_called_otherwise_and_nothing_runs_again(bank, tmp_path):
    methods = [{"name": "nes-rs", "label": "old"}, {"name": "random-ensemble", "label": "other"}]
    do(plan(bank, methods=methods), tmp_path)
    before = load_records(tmp_path)
    swapped = [entry | {"label": called} for entry, called in zip(methods, ["other", "new"], strict=True)]
    assert do(plan(bank, methods=swapped, reference="new"), tmp_path)[1] == [Progress(24, 0, 0)]
    renamed = before.assign(method=before["method"].map({"old": "other", "other": "new"}))
    pd.testing.assert_frame_equal(load_records(tmp_path), renamed)


def test_a_line_that_was_cut_costs_no_other_its_seconds(bank, tmp_path):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=3)
    do(study, tmp_path)
    assert load_records(tmp_path)["real_seconds"].gt(0).all()
    with (tmp_path / "seconds.csv").open("a") as file:
        file.write("0123456789ab")
    next((tmp_path / "runs").glob("*.json")).unlink()
    do(study, tmp_path)
    assert load_records(tmp_path)["real_seconds"].gt(0).all()


def test_a_run_that_takes_too_long_is_ended_recorded_and_tried_again(bank, tmp_path):
    study = plan(bank, methods=["nes-rs"], sizes=[2], budgets=[10.0], repetitions=2)
    (error,), _ = do(study, tmp_path, timeout=0.001)
    assert "and 1 more: took longer than 0.001 s" in error
    assert all("took longer" in json.loads(record)["error"] for record in records(tmp_path).values())
    with pytest.raises(NessBenchError, match="lacks 2 of 2 runs"):
        load_records(tmp_path)
    assert do(study, tmp_path, timeout=60) == ([], [Progress(2, 2, 0), None, None])
    do(study, tmp_path / "undisturbed")
    assert records(tmp_path) == records(tmp_path / "undisturbed")


def test_a_full_disk_loses_nothing(bank, tmp_path):
    """A file may not grow beyond a limit, as on a full disk: no record is half-written, and the study goes on."""
    study = plan(bank, repetitions=1)
    do(study, tmp_path / "undisturbed")
    file = write(tmp_path / "plan.toml", study)
    command = [sys.executable, "-m", "ness_bench.cli", "study", "run", str(file), "--out", str(tmp_path / "full")]
    command += ["--jobs", "1"]
    limit = max(len(content) for content in records(tmp_path / "undisturbed").values()) - 1

    def lower():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ended = subprocess.run(command, preexec_fn=lower, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    written = records(tmp_path / "full") if (tmp_path / "full" / "runs").is_dir() else {}
    assert written.items() < records(tmp_path / "undisturbed").items()
    do(study, tmp_path / "full")
    assert records(tmp_path / "full") == records(tmp_path / "undisturbed")


@pytest.fixture
def misbehaving(monkeypatch):
    """Methods that do what no method should."""

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

    @dataclass(frozen=True)
    class Faulty:
        def search(self, task, rng):
            return {}["key"]

    for kind in (Thief, Glutton, Faulty):
        monkeypatch.setitem(method._registered, kind.__name__.lower(), kind)
    method.methods.cache_clear()
    yield
    method.methods.cache_clear()


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("thief", "each of them trained by its task"),
        ("glutton", "returned 3 members for an ensemble of 2"),
        ("faulty", "KeyError in test_study.py, line"),
    ],
)
def test_what_a_method_must_not_do_fails_its_run_alone(bank, tmp_path, name, error):
    study = plan(bank, methods=[name, "random-search"], sizes=[2], budgets=[10.0], repetitions=1)
    errors, _ = do(study, tmp_path)
    assert len(errors) == 1
    assert error in errors[0]
    with pytest.raises(NessBenchError, match="lacks 1 of 2 runs"):
        load_records(tmp_path)


def test_the_id_names_the_content(bank):
    first = plan(bank).runs()[0]
    same = plan(bank, repetitions=5).runs()[0]
    assert id_of(first) == id_of(same)
    ids = {id_of(spec) for spec in plan(bank).runs()}
    assert len(ids) == 24
    changed = plan(bank, methods=[{"name": "nes-re", "label": "small", "constants": {"population": 5}}, "nes-re"])
    assert len({id_of(spec) for spec in changed.runs()}) == 24


def test_a_sweep_is_each_combination(bank):
    entry = {"name": "nes-re", "constants": {"parents": 2}, "sweep": {"population": [5, 6], "parents": [1, 2]}}
    with pytest.raises(NessBenchError, match='sets the constant "parents" and sweeps it'):
        plan(bank, methods=[entry]).runs()
    del entry["constants"]
    runs = plan(bank, methods=["nes-rs", entry], sizes=[2], budgets=[10.0], repetitions=1).runs()
    assert [run.label for run in runs] == [
        "nes-rs",
        *(f"nes-re population={population} parents={parents}" for population in (5, 6) for parents in (1, 2)),
    ]
    assert [run.constants["parents"] for run in runs[1:]] == [1, 2, 1, 2]


def test_a_preset_is_a_study_of_its_own(bank, tmp_path):
    file = write(tmp_path / "plan.toml", plan(bank))
    whole = file.read_text()
    file.write_text(whole + "\n[presets.smoke]\nrepetitions = 1\nbudgets = [10.0]\n[presets.quick]\n")
    assert read_plan(file) == plan(bank)
    assert read_plan(file, "smoke") == plan(bank, name="small-smoke", repetitions=1, budgets=[10.0])
    assert read_plan(file, "quick") == plan(bank, name="small-quick")
    with pytest.raises(NessBenchError, match='no preset "smok"; did you mean "smoke"'):
        read_plan(file, "smok")
    file.write_text(whole + '\n[presets.smoke]\nname = "other"\n')
    with pytest.raises(NessBenchError, match="preset smoke: a preset gives no name, its study is called small-smoke"):
        read_plan(file)
    file.write_text(whole + "\n[presets.smoke]\nrepetition = 1\n")
    with pytest.raises(NessBenchError, match='preset smoke: unknown key "repetition"; did you mean "repetitions"'):
        read_plan(file)


def test_a_forecast_counts_every_run(bank):
    expected = forecast(plan(bank, repetitions=2), patience=60)
    assert expected.timed == 16
    assert 0 < expected.seconds < 60
    assert forecast(plan(bank, methods=["darts"], budgets=[4.0]), patience=0).errors


def test_a_record_is_reproducible_and_holds_both_splits(bank):
    spec = plan(bank).runs()[0]
    record = execute(spec)
    assert json.dumps(record) == json.dumps(execute(spec))
    result = record["result"]
    rows = [bank.members.row(_parse(m["architecture"]), m["seed"]) for m in result["members"]]
    mean = bank.test.probabilities(rows).mean(0)
    assert result["test"]["accuracy"] == pytest.approx((mean.argmax(-1) == bank.test.labels).mean())
    assert result["val"] != result["test"]


@pytest.mark.parametrize(
    ("weights", "size", "counted"),
    [
        ([1 / 3] * 3, 3, "abc"),
        ([2 / 3, 1 / 3], 3, "aab"),
        ([0.6, 0.4], 5, "aaabb"),
        ([1.0], 3, "aaa"),
        ([0.5, 0.5], 5, "ab"),
        ([0.7, 0.3], 2, "ab"),
    ],
)
def test_a_member_of_double_weight_is_counted_twice_among_the_architectures(bank, weights, size, counted):
    spec = plan(bank, sizes=[size]).runs()[0]
    result = execute(spec)["result"] | {"weights": weights}
    result["members"] = [{"architecture": name, "seed": 0} for name in "abc"[: len(weights)]]
    assert "".join(spec.row(result)["architectures"]) == counted


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
        ('reference = "nes-re"', 'reference "nes-re" is none of its methods; did you mean "nes-rs"'),
        ('metrics = ["nnl"]', 'unknown metric "nnl"; did you mean "nll"'),
        ('metrics = ["nll", "ece", "nll"]', 'names the metric "nll" twice'),
        ('methods = [{ name = "nes-rs", label = "$x$" }]', "methods.0.label: String should match pattern"),
        ('reports = ["pages"]', "reports.0: Input should be 'tables', 'figures' or 'page'"),
        ('methods = [{ name = "nes-re", sweep = { parents = [] } }]', "sweep.parents: List should have at least 1"),
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
