"""Studies on a table: what a record says is what the table says."""

import json

import numpy as np
import pytest

from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import parse
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.run import execute
from ness_bench.studies.study import load_records, run
from ness_bench.studies.trials import MOMENTS, TrialPlan, scores
from ness_bench.tables.embedded import embedded
from ness_bench.tables.folder import write_table
from ness_bench.tables.table import Networks, Run
from ness_bench.tasks.protocols import PROTOCOLS
from ness_bench.tasks.table import TableTask


def plan(**changes):
    content = {
        "name": "small",
        "table": "embedded",
        "protocol": "nas-bench-201",
        "dataset": "cifar10",
        "methods": ["random-search", "regularized-evolution"],
        "repetitions": 3,
    }
    return TrialPlan.model_validate(content | changes)


def test_a_record_holds_what_was_found_and_the_way_there():
    one = plan().runs()[0]
    record = execute(one)
    assert json.dumps(record) == json.dumps(execute(one))
    result, table = record["result"], embedded()
    row = table.row(parse(result["architecture"]))
    for dataset, accuracy in result["scores"].items():
        assert 100 * accuracy == pytest.approx(np.nanmean(table.curves(dataset, "val", 200)[row]), abs=1e-4)
    assert result["progress"][-1] == result["scores"]["cifar10"]  # the best by what the search saw is what it found

    task = TableTask.of(table, "cifar10", PROTOCOLS["nas-bench-201"], repetition=0)
    seen, spent, best = [], 0.0, None
    of_dataset = scores(table, 200)["cifar10"].accuracy
    for architecture in _asked_for(one):  # replay: the best so far when half of the budget was spent
        seen.append(task.evaluate(architecture))
        spent = task.trials[-1][3]
        if spent > task.budget.total / 2:
            break
        best = architecture if seen[-1] == max(seen) else best
    assert result["progress"][MOMENTS // 2 - 1] == pytest.approx(of_dataset[table.row(best)] / 100, abs=1e-6)


def _asked_for(one):
    from ness_bench.methods.method import create

    asked = []
    task = TableTask.of(embedded(), "cifar10", PROTOCOLS["nas-bench-201"], repetition=one.repetition)
    create(one.method, one.constants).find(task, np.random.default_rng(one.repetition))
    asked += [trial[0] for trial in task.trials]
    return asked


def test_methods_of_a_repetition_see_the_same_trainings():
    """The same architecture has the same accuracy for both, and another seed's in another repetition."""
    tasks = [TableTask.of(embedded(), "cifar10", PROTOCOLS["nas-bench-201"], repetition=seed) for seed in (0, 0, 1)]
    same, again, other = ([task.evaluate(a) for a in embedded().architectures[:30]] for task in tasks)
    assert same == again != other


def test_a_study_on_a_table_is_whole_and_repeatable(tmp_path):
    study = plan(dataset="cifar100", protocol="nats-bench", repetitions=2)
    for folder, jobs in ((tmp_path / "one", 1), (tmp_path / "two", 2)):
        assert run(study, folder, Processes(jobs), lambda state: None, lambda: None) == []
    assert _records(tmp_path / "one") == _records(tmp_path / "two")
    records = load_records(tmp_path / "one")
    assert records["method"].tolist() == 2 * ["random-search", "regularized-evolution"]
    assert (records["seconds"] >= 40_000 * 200 / 12).all()  # the last trial overshoots
    assert set(records.columns) >= {"cifar10", "cifar100", "imagenet16-120", "trials", "progress"}


def _records(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").iterdir()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "embeded"}, 'unknown table "embeded"; did you mean "embedded"'),
        ({"protocol": "nats-bnech"}, 'unknown protocol "nats-bnech"; did you mean "nats-bench"'),
        ({"dataset": "cifar100"}, "searches on cifar10, but"),
        ({"methods": ["nes-rs"]}, 'method "nes-rs" needs predictions, and a table holds accuracies only; methods for'),
        ({"methods": ["reinforce", "reinforce"]}, "the same run twice"),
        ({"methods": [{"name": "reinforce", "constants": {"momentum": 1.0}}]}, "momentum in"),
    ],
)
def test_plans_that_a_table_cannot_serve_are_refused(changes, message):
    with pytest.raises(NessBenchError, match=message):
        plan(**changes).runs()


def test_a_data_set_that_is_not_whole_is_not_scored(tmp_path):
    """And a table that is not whole on the one that is searched is refused."""
    one, half = np.full((2, 1, 1), 50, np.float32), np.array([60, np.nan], np.float32).reshape(2, 1, 1)
    nothing = np.full(2, np.nan)

    def table(test):
        runs = {
            ("cifar10-valid", 12): Run((), {"val": one}, np.ones((2, 1)), {}),
            ("cifar10", 200): Run((), {"test": test}, np.ones((2, 1)), {}),
            ("cifar100", 200): Run((), {"test": half}, np.ones((2, 1)), {}),
        }
        networks = {name: Networks(nothing, nothing, nothing) for name, _ in runs}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write_table(folder, "made up", np.array([3, 10]), runs, networks)
        return str(folder)

    (record,) = map(execute, plan(table=table(one), methods=["random-search"], repetitions=1).runs())
    assert record["result"]["scores"] == {"cifar10": 0.5}
    with pytest.raises(NessBenchError, match=r"lacks cifar10 accuracies after 200 epochs of some of its architectures"):
        plan(table=table(half)).runs()


@pytest.mark.parametrize("name", ["nas-bench-201", "samplers", "quick"])
def test_the_plans_that_come_with_the_project_are_sound(name, request):
    folder = request.config.rootpath / "benchmarks" / "studies"
    assert read_plan(folder / f"{name}.toml").runs()


def test_a_plan_of_two_kinds_or_none_is_refused(tmp_path):
    file = tmp_path / "plan.toml"
    for text in ('name = "a"', 'name = "a"\nbank = "fashion"\nprotocol = "nats-bench"', "x = 1"):
        file.write_text(text)
        with pytest.raises(NessBenchError, match="exactly one of the keys factors, bank, protocol, temperatures"):
            read_plan(file)
