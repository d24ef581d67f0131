"""Tables and captions of a study of trials say what its records and its plan say."""

import shutil
import subprocess
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError
from ness_bench.reports.report import write_report
from ness_bench.reports.text import write_texts
from ness_bench.reports.trials import figures
from ness_bench.reports.trials.captions import context_of
from ness_bench.reports.trials.tables import BEST, comparison, texts
from ness_bench.reports.trials.terminal import comparison as shown
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.study import run
from ness_bench.studies.trials import TrialPlan

DATASETS = {"cifar10": 0.9437, "cifar100": 0.7351, "imagenet16-120": 0.4731}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, trial_records, trial_context):
    folder = tmp_path_factory.mktemp("tables")
    write_texts(texts(comparison(trial_records, trial_context), trial_context), folder)
    return folder


def rows_of(folder):
    lines = (folder / "comparison.md").read_text(encoding="utf-8").splitlines()
    heads, _, *rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_the_csv_holds_what_pandas_finds_in_the_records_and_the_best_there_is(folder, trial_records):
    table = pd.read_csv(folder / "comparison.csv").set_index("method")
    assert list(table.index) == [*trial_records["method"].unique(), BEST]
    for method, runs in trial_records.groupby("method"):
        row = table.loc[method]
        for dataset in DATASETS:
            assert row[f"{dataset}_mean"] == pytest.approx(runs[dataset].mean())
            assert row[f"{dataset}_std"] == pytest.approx(runs[dataset].std(ddof=0))
        assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(runs["cifar10"]))
        assert row["trials"] == pytest.approx(runs["trials"].mean())
        assert row["seconds"] == pytest.approx(runs["seconds"].mean())
        assert row["repetitions"] == len(runs)
    assert [table.loc[BEST, f"{dataset}_mean"] for dataset in DATASETS] == pytest.approx(list(DATASETS.values()))


def test_markdown_prints_percent_and_bolds_the_best_method(folder, trial_records):
    *rows, best = rows_of(folder)
    means = 100 * trial_records.groupby("method", sort=False)[list(DATASETS)].mean()
    stds = 100 * trial_records.groupby("method", sort=False)[list(DATASETS)].std(ddof=0)
    for row, method in zip(rows, means.index, strict=True):
        for dataset, head in (("cifar10", "CIFAR-10 test (%)"), ("cifar100", "CIFAR-100 val (%)")):
            text = f"{means.loc[method, dataset]:.2f} ± {stds.loc[method, dataset]:.2f}"
            assert row[head] == (f"**{text}**" if means[dataset].idxmax() == method else text)
    assert best["Method"] == BEST
    assert best["CIFAR-10 test (%)"] == "94.37"


@pytest.mark.parametrize(("score", "verdict"), [(0.9406, "inside"), (0.9334, "inside"), (0.9407, "outside")])
def test_the_verdict_at_the_edge_of_one_published_standard_deviation(trial_records, trial_context, score, verdict):
    table = comparison(trial_records.assign(cifar10=score), trial_context).set_index("method")
    assert table.loc["random-search", "verdict"] == verdict  # 93.70 ± 0.36 is published
    assert table["verdict"].isna().sum() == 2  # an unpublished method, and the best in the table


def test_without_comparison_no_published_number_is_shown(trial_records, trial_context, tmp_path):
    context = replace(trial_context, published={})
    write_texts(texts(comparison(trial_records, context), context), tmp_path)
    assert set(rows_of(tmp_path)[0]) == {
        "Method", "CIFAR-10 test (%)", "Interval (%)", "CIFAR-100 val (%)", "ImageNet16-120 test (%)", "Trials",
        "Time (s)",
    }  # fmt: skip


def test_the_terminal_table_fits_80_columns(trial_records, trial_context):
    console = Console(width=80, file=StringIO())
    console.print(shown(comparison(trial_records, trial_context), trial_context))
    text = console.file.getvalue()
    assert "…" not in text
    assert "93.70 ± 0.36" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_and_fits_the_text_width(folder, tmp_path):
    document = (
        r"\documentclass{article}\usepackage[textwidth=5.5in]{geometry}\usepackage{booktabs}\begin{document}"
        + (folder / "comparison.tex").read_text(encoding="utf-8")
        + r"\end{document}"
    )
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


def plan_on(table, **changes):
    content = {"protocol": "nas-bench-201", "dataset": "cifar10", "methods": ["random-search", "bohb"]}
    return TrialPlan.model_validate({"name": "small", "table": table, "repetitions": 2} | content | changes)


def test_captions_say_how_the_numbers_came_about(make_table):
    how = context_of(plan_on(make_table(lengths=1))).how
    for words in (
        "made up for tests; digest ",
        "protocol nas-bench-201 (Dong & Yang, ICLR 2020)",
        "12,000 simulated seconds; its last trial may overshoot",
        "after 12 epochs; the table offers no shorter ones",
        "validation pass are estimated",
        "accuracies after 200 epochs",
        "missing seeds: available-mean",
        "2 repetitions",
        "Published: Dong & Yang, ICLR 2020",
        "But bohb had no trainings of fewer than 12 epochs",
    ):
        assert words in how
    how = context_of(plan_on(make_table(), strict=True)).how
    assert "its last trial must fit" in how
    assert "shorter ones are on offer, 12 lengths in all" in how
    assert "Nothing is compared with published numbers: the last trial had to fit" in how


@pytest.fixture(scope="module")
def study(make_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    assert run(plan_on(make_table()), folder, Processes(1), lambda state: None, lambda: None) == []
    return folder


def test_a_report_is_written_the_same_twice_and_shows_every_caption(study, monkeypatch):
    written = write_report(study)
    before = {path: path.read_bytes() for path in written.files}
    assert [path.relative_to(study) for path in written.files] == [
        *(Path(f"tables/comparison.{suffix}") for suffix in ("csv", "md", "tex")),
        *(Path(f"figures/{n}.{suffix}") for n in ("score_over_seconds", "final_scores") for suffix in ("pdf", "png")),
        Path("figures/figures.md"),
        Path("index.html"),
    ]
    assert (study / "figures/figures.md").read_text(encoding="utf-8").count("missing seeds: available-mean") == 2
    monkeypatch.setattr(
        figures, "FIGURES", {"final_scores": figures.FIGURES["final_scores"]}
    )  # its points are jittered
    *again, _, _ = write_report(study).files  # but for figures.md and the page
    assert len(again) == 3 + 2
    assert all(path.read_bytes() == before[path] for path in again)


def test_an_incomplete_study_is_refused(study, tmp_path):
    shutil.copytree(study / "runs", tmp_path / "runs")
    for name in ("study.json", "environment.json"):
        shutil.copy(study / name, tmp_path)
    sorted((tmp_path / "runs").iterdir())[0].unlink()
    with pytest.raises(NessBenchError, match="lacks 1 of 4 runs"):
        write_report(tmp_path)
    assert not (tmp_path / "tables").exists()
