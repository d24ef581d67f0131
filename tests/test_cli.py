"""The command line as a user meets it: what it prints, what it refuses, with which exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ness_bench.ensembles.metrics import nll
from ness_bench.ensembles.temperature import at_temperature, fit_temperature
from ness_bench.methods.method import methods
from ness_bench.spaces.nas_bench_201 import parse, to_string

QUICK = Path(__file__).parents[1] / "benchmarks" / "studies" / "quick.toml"


def ness_bench(*arguments, folder=None):
    command = [sys.executable, "-m", "ness_bench.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_search_prints_members_weights_metrics_and_cost(bank):
    arguments = ("search", "nes-rs", "--bank", bank.folder, "--budget", 20, "--size", 3, "--seed", 4)
    first, second = ness_bench(*arguments), ness_bench(*arguments)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    result = json.loads(first.stdout)
    assert set(result) == {"members", "weights", "averaging", "distinct", "val", "test", "cost"}
    assert result["distinct"] == len({m["architecture"] for m in result["members"]})
    members = [f"{m['architecture']}:{m['seed']}" for m in result["members"]]
    scored = json.loads(ness_bench("bank", "evaluate", bank.folder, *members).stdout)
    for split in ("val", "test"):
        assert scored[split] == pytest.approx(result[split])
    rows = [bank.members.row(parse(m["architecture"]), m["seed"]) for m in result["members"]]
    val, test = (of.probabilities(rows).mean(0) for of in (bank.val, bank.test))
    scaled = scored["test_temperature_scaled"]
    assert scaled["temperature"] == pytest.approx(fit_temperature(val, bank.val.labels))
    assert scaled["nll"] == pytest.approx(nll(at_temperature(test, scaled["temperature"]), bank.test.labels))


def test_a_plan_is_told_before_it_is_run(tmp_path):
    shown = ness_bench("study", "plan", QUICK, "--preset", "smoke", folder=tmp_path)
    lines = dict(line.split("  ", 1) for line in shown.stdout.splitlines())
    assert lines["runs"].strip() == "18, of which 0 are done in results/quick-smoke"
    assert "nes-rs, nes-re, deep-ensemble" in lines["runs of"]
    assert lines["may spend"].strip().startswith("360 TE (measured)")
    assert "seconds on" in lines["takes"]
    assert not (tmp_path / "results").exists()


def test_oracle_shows_what_the_bank_stores_and_searches_for_the_rest(bank):
    for size in (2, 6):
        shown = ness_bench("bank", "oracle", bank.folder, "--size", size, "--metric", "brier").stdout.splitlines()
        assert len(shown) == 2 * (2 + size)
        value = float(shown[0].partition(": ")[2].split()[0])
        members = [line.split()[0] for line in shown[2 : 2 + size]]
        scored = json.loads(ness_bench("bank", "evaluate", bank.folder, *members).stdout)
        assert scored["val"]["brier"] == pytest.approx(value, abs=1e-5)
    assert (len(bank.optima["val", "brier", 2].rows), bank.optima["val", "brier", 2].proven) == (2, True)


def test_a_table_is_imported_described_and_queried(shared, tmp_path):
    sample, out = shared / "data" / "nats-sample" / "NATS-tss-v1_0-3ffb9-simple", tmp_path / "nats"
    whole = ness_bench("table", "import", "nats", sample, "--out", out)
    assert (whole.returncode, out.exists()) == (2, False)
    assert "holds 3 of 15,625 architectures; give --partial" in whole.stderr
    assert ness_bench("table", "import", "nats", sample, "--out", out, "--partial").returncode == 0
    assert "cifar10 test, 200 epochs" in ness_bench("table", "info", out).stdout
    shown = ness_bench("table", "query", out, "--arch", 11).stdout
    assert shown.splitlines()[1].split() == ["index", "11"]
    assert "91.58 %  seed 777 91.79  seed 888 91.76  seed 999 91.20" in shown
    naslib = ness_bench("table", "query", "cifar10", "--arch", "2,2,1,4,2,4", "--order", "naslib").stdout
    assert naslib.split()[1] == shown.split()[1]  # the same string


def test_a_folder_called_like_a_data_set_is_not_taken_for_it(tmp_path):
    (tmp_path / "cifar10").mkdir()
    shown = ness_bench("table", "info", "cifar10", folder=tmp_path)
    assert (shown.returncode, shown.stdout.split()[1]) == (0, "embedded,")


def test_methods_are_listed():
    listed = ness_bench("methods").stdout
    assert all(name in listed for name in methods())


def test_help_and_import_load_nothing_heavy():
    heavy = "{'torch', 'numba', 'pandas', 'scipy', 'matplotlib'}"
    for statement in ("import ness_bench", "import ness_bench.cli"):
        code = f"import sys; {statement}; print({heavy} & set(sys.modules))"
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        assert shown.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "nes-sr", "--budget", 9, "--size", 3], 'did you mean "nes-rs"'),
        (["search", "nes-rs", "--budget", 9, "--size", 3, "--bank", "fashoin"], 'unknown bank "fashoin"'),
        (["search", "nes-rs", "--budget", 0, "--size", 3], "must be a positive number"),
        (["table", "info", "cifar"], 'unknown table "cifar"; did you mean "cifar10"'),
        (["table", "query", "cifar10", "--arch", 15625], "index 15625 was given; indices run from 0 to 15624"),
        (["table", "query", "cifar10", "--arch", "4,0,3,1,4,3"], "which NAS-Bench-201 and NASLib read differently"),
        (["table", "query", "cifar10", "--arch", "1,2,3", "--order", "naslib"], "an architecture has 6, from 0 to 4"),
        (["table", "query", "cifar10", "--arch", 1, "--order", "nasbench"], "allowed: nas-bench-201, naslib"),
        (["table", "query", "cifar10", "--arch", "|none~0|", "--order", "naslib"], "--order says how six operation"),
        (["table", "import", "nas-bench-201", "nowhere.pth", "--out", "out"], "nowhere.pth is no file; give NAS-Bench"),
        (["search", "nes-rs", "--budget", 0.001, "--size", 3], "pays for no member"),
        (["search", "nes-rs", "--budget", 9, "--size", 0], "ask for 1 to"),
        (["search", "nes-rs", "--budget", 9, "--size", 5000], "covers"),
        (["search", "nes-re", "--budget", 9, "--size", 3, "--set", "population"], "write it like --set"),
        (["bank", "evaluate", "|none~0|"], "node"),
        (["bank", "evaluate", to_string((0,) * 6) + ":x"], "stands its seed"),
        (["study", "run", "none.toml"], "there is no plan"),
        (["study", "report", "."], "holds no study"),
        (["study", "run", QUICK, "--preset", "small"], 'has no preset "small"; it has: smoke, full'),
        (["study", "run", QUICK, "--engine", "rya"], 'there is no engine "rya"; did you mean "ray"?'),
        (["study", "run", QUICK, "--address", "auto"], "--address"),
        (["study", "run", QUICK, "--engine", "slurm", "--slurm", "partition"], "write it like --slurm name="),
        (["bank", "build", "--out", "b", "--uniform-epochs", "ten"], "write it like 40,80,160"),
        (["bank", "build", "--out", "b", "--data", "mnist"], 'unknown data set "mnist"'),
        (["bank", "build", "--out", "b", "--shard", "5/4"], "write it like 2/4"),
        (["bank", "oracle", "--metric", "f1"], 'no best ensemble by "f1"'),
        (["bank", "oracle", "--size", 16], "ask for 1 to 15"),
        (["bank", "merge", "--out", "b", "nowhere"], "is no shard of a build"),
        (["search", "ness-mc", "--budget", 9, "--size", 3, "--set", "temperature=0"], "must be positive"),
        (["search", "ness-svgd-rd", "--budget", 9, "--size", 3, "--set", "sigma=0"], "sigma is 0.0; it must be"),
        (["search", "ness-mc", "--budget", 9, "--size", 3, "--cost-model", "free"], 'unknown cost model "free"'),
        (["supernet", "train", "--out", "s", "--kind", "gdsa"], 'unknown kind of supernet "gdsa"'),
        (["supernet", "train", "--out", "s", "--space", "nb101"], '--space was given "nb101"'),
        (["supernet", "train", "--out", "s", "--set", "rate=0.1"], 'a uniform supernet has no constant "rate"'),
        (["supernet", "train", "--out", "s", "--set", "learning_rate=fast"], "give a value like its default 0.1"),
        (["supernet", "train", "--out", "s", "--train-examples", 10**6], "fashion has 1 to 10000"),
        (["supernet", "evaluate", "nowhere"], "holds no finished supernet"),
        (["bank", "add", "nowhere", "nothing"], "holds no finished supernet"),
    ],
)
def test_bad_input_is_told_in_a_sentence(bank, tmp_path, arguments, message):
    if arguments[:1] == ["search"] and "--bank" not in arguments:
        arguments = [*arguments, "--bank", bank.folder]
    if arguments[0] == "bank" and arguments[1] in ("evaluate", "oracle"):
        arguments = [*arguments[:2], bank.folder, *arguments[2:]]
    shown = ness_bench(*arguments, folder=tmp_path)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_supernet_that_diverges_stops_with_the_step_and_keeps_its_last_good_checkpoint(tmp_path):
    small = ("--train-examples", 480, "--val-examples", 250, "--cells", 1, "--epochs", 3)
    fast = ("--set", "learning_rate=1e6", "--set", "gradient_clip=1e30")
    shown = ness_bench("supernet", "train", "--out", tmp_path / "s", *small, *fast)
    assert shown.returncode == 2
    assert "diverged in epoch 1 of 3, step " in shown.stderr
    assert "there is no good checkpoint" in shown.stderr
    assert "Traceback" not in shown.stderr
