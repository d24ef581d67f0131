"""Two studies are held against each other run by run, and only if they can be."""

import itertools
import json
import shutil
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats
from small_plan import do, plan

from ness_bench.errors import NessBenchError
from ness_bench.reports.compared import NOTE, compare, write_compared
from ness_bench.reports.text import ends, number
from ness_bench.studies.study import load_records

LABEL = "drawn"


@pytest.fixture(scope="module")
def a(bank, tmp_path_factory):
    folder = tmp_path_factory.mktemp("a")
    methods = ["nes-re", {"name": "random-ensemble", "label": LABEL}, "random-search"]
    of_a = plan(bank, methods=methods, metrics=["accuracy", "nll", "regret", "real_seconds"], repetitions=5)
    assert do(of_a, folder)[0] == []
    return folder


@pytest.fixture(scope="module")
def b(bank, tmp_path_factory):
    """Another method under the same label, other sizes and budgets, one repetition less."""
    folder = tmp_path_factory.mktemp("b")
    methods = [{"name": "nes-rs", "label": LABEL}, {"name": "nes-re", "constants": {"population": 4}}]
    metrics = ["nll", "regret", "ece", "accuracy", "real_seconds"]
    of_b = plan(bank, methods=methods, sizes=[3, 4], budgets=[20.0, 40.0], metrics=metrics, repetitions=4)
    assert do(of_b, folder)[0] == []
    return folder


@pytest.fixture(scope="module")
def compared(a, b):
    return compare(a, b)


def exact_p(differences):
    """Wilcoxon's, by looking at all signs that the ranks may have; SciPy's is not exact where some are tied."""
    kept = np.round(differences, 10)[np.round(differences, 10) != 0]
    ranks = stats.rankdata(np.abs(kept))
    sums = [ranks @ signs for signs in itertools.product((0, 1), repeat=len(ranks))]
    found = min(ranks @ (kept > 0), ranks @ (kept < 0))
    return min(1, 2 * np.mean(np.array(sums) <= found))


def test_differences_are_paired_by_repetition_and_adjusted_for_all_that_is_compared(compared, a, b):
    frame = compared.differences
    assert list(frame["metric"].unique()) == ["accuracy", "nll", "real_seconds"]
    assert list(frame[["method", "size", "budget"]].drop_duplicates().itertuples(index=False, name=None)) == [
        ("nes-re", 3, 20.0),
        (LABEL, 3, 20.0),
    ]
    runs_a, runs_b = (load_records(folder).query("size == 3 and budget == 20 and seed < 4") for folder in (a, b))
    for metric, rows in frame.groupby("metric"):
        for row in rows.to_dict("records"):
            of_a, of_b = (
                runs[runs["method"] == row["method"]].sort_values("seed")[metric].to_numpy()
                for runs in (runs_a, runs_b)
            )
            assert (row["a"], row["b"], row["pairs"]) == (pytest.approx(of_a.mean()), pytest.approx(of_b.mean()), 4)
            interval = stats.ttest_1samp(of_b - of_a, 0).confidence_interval(0.95)
            assert (row["mean"], row["low"], row["high"]) == pytest.approx((np.mean(of_b - of_a), *interval))
            assert row["p"] == pytest.approx(exact_p(of_b - of_a))
        first, second = sorted(rows["p"])
        assert sorted(rows["p_holm"]) == pytest.approx([min(1, 2 * first), min(1, max(2 * first, second))])


def test_what_only_one_of_them_has_and_what_is_not_the_same_is_said(compared):
    remarks = " ".join(compared.remarks)
    for words in (
        "Only A has the methods random-search; sizes 2; budgets (TE) 10.",
        "Only B has the sizes 4; budgets (TE) 40.",
        "nes-re is nes-re with its defaults in A and nes-re with {'population': 4} in B.",
        f"{LABEL} is random-ensemble with its defaults in A and nes-rs with its defaults in B.",
        "A has 5 repetitions and B 4; the 4 that both have are compared.",
    ):
        assert words in remarks


def test_a_terminal_shows_one_metric_and_the_files_all(compared, tmp_path):
    console = Console(width=80, file=StringIO())
    for table in compared.tables():
        console.print(table)
    shown = console.file.getvalue()
    csv, markdown = write_compared(compared, tmp_path / "new")
    pd.testing.assert_frame_equal(pd.read_csv(csv), compared.differences.reset_index(drop=True), check_dtype=False)
    text = markdown.read_text(encoding="utf-8")
    for row in compared.differences.to_dict("records"):
        scale, digits = {"accuracy": (100, 3), "nll": (1, 4), "real_seconds": (1, 3)}[row["metric"]]
        mean, low, high = (scale * row[column] for column in ("mean", "low", "high"))
        difference = f"{number(mean, digits, signed=True)} {ends(low, high, digits, signed=True)}"
        assert f"| {row['method']} | 3 | 20 |" in text
        assert difference in text
        assert (difference in shown) == (row["metric"] == "nll")
    assert NOTE in text
    assert all(remark in text for remark in compared.remarks)


def test_a_study_does_not_differ_from_a_copy(a, tmp_path):
    shutil.copytree(a, tmp_path / "copy")
    same = compare(a, tmp_path / "copy")
    assert (same.differences[["mean", "low", "high"]] == 0).all(axis=None)
    assert (same.differences["p_holm"] == 1).all()
    assert len(same.remarks) == 1
    assert len(same.differences) == 3 * 3 * 2 * 2


def edited(folder, copy, **changes):
    """A copy whose study.json says something else."""
    shutil.copytree(folder, copy)
    path = copy / "study.json"
    content = json.loads(path.read_text())
    plan_changes = changes.pop("plan", {})
    content["plan"] = plan_changes if "table" in plan_changes else content["plan"] | plan_changes
    path.write_text(json.dumps(content | changes))
    return copy


SAMPLERS = {
    "name": "samplers", "table": "embedded", "dataset": "cifar10", "epochs": 200, "temperatures": [1.0], "sizes": [3],
    "deltas": [1.0], "sigmas": [1.0], "ensembles": 2, "repetitions": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "0" * 64}, "only what is found in the same bank"),
        ({"plan": {"cost_model": "nas-bench-201"}}, "equal budgets are not the same"),
        ({"plan": {"metrics": ["ece"]}}, "no metric in common"),
        ({"plan": SAMPLERS, "runs": {}}, "another kind"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, tmp_path, changes, message):
    other = edited(a, tmp_path / "other", **changes)
    for pair in ((a, other), (other, a)):
        with pytest.raises(NessBenchError, match=message):
            compare(*pair)


def test_studies_without_a_run_in_common_are_refused(bank, a, tmp_path):
    assert do(plan(bank, methods=["darts"], budgets=[40.0], repetitions=1), tmp_path / "b")[0] == []
    with pytest.raises(NessBenchError, match="no run in common"):
        compare(a, tmp_path / "b")


def test_studies_that_show_regret_alone_are_compared_by_nll(a, b, compared, tmp_path):
    for name, folder in (("a", a), ("b", b)):
        shutil.copytree(folder, tmp_path / name)
        path = tmp_path / name / "study.json"
        content = json.loads(path.read_text())
        content["plan"]["metrics"] = ["regret"]
        path.write_text(json.dumps(content))
    found = compare(tmp_path / "a", tmp_path / "b").differences
    of_nll = compared.differences.query("metric == 'nll'").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.reset_index(drop=True), of_nll)
