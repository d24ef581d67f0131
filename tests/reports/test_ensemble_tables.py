"""The tables say what the records say: means, intervals, ranks; and what they say can be read by LaTeX."""

import re
import shutil
import subprocess

import pandas as pd
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.reports.ensembles.tables import COLUMNS, write_tables
from ness_bench.reports.text import escape
from ness_bench.studies.statistics import bootstrap_interval


@pytest.fixture(scope="module")
def folder(tmp_path_factory, records, context):
    folder = tmp_path_factory.mktemp("tables")
    written = write_tables(records, folder, context)
    assert written == [folder / f"comparison.{suffix}" for suffix in ("csv", "md", "tex")]
    return folder


def scale(column):
    return 100 if column.unit == "%" else 1


def printed_means(records):
    """[(size, budget), method] × metric: means as they should be printed, worked out from the records."""
    means = records.groupby(["size", "budget", "method"], sort=False)[[c.metric for c in COLUMNS]].mean()
    return pd.DataFrame({c.metric: (means[c.metric] * scale(c)).round(c.digits) for c in COLUMNS})


def test_the_csv_holds_means_and_ends_of_intervals_in_the_units_of_the_records(folder, records):
    table = pd.read_csv(folder / "comparison.csv")
    order = [(s, b, m) for s in (3, 5) for b in (20, 40, 80) for m in records["method"].unique()]
    assert list(table[["size", "budget", "method"]].itertuples(index=False, name=None)) == order
    assert (table["repetitions"] == 10).all()
    for _, row in table.iloc[::7].iterrows():
        runs = records[(records[["size", "budget", "method"]] == row[["size", "budget", "method"]]).all(axis=1)]
        for column in COLUMNS:
            values = runs[column.metric].to_numpy()
            shown = [row[f"{column.metric}_{end}"] for end in ("mean", "low", "high")]
            assert shown == pytest.approx([values.mean(), *bootstrap_interval(values)], rel=1e-5)


def test_markdown_prints_means_with_half_widths_and_bolds_the_best_of_each_block(folder, records):
    means = printed_means(records)
    runs = dict(iter(records.groupby(["size", "budget", "method"])))
    best = {"accuracy": max, "nll": min, "regret": min, "ece": min, "brier": min}
    text = (folder / "comparison.md").read_text(encoding="utf-8")
    blocks = re.findall(r"### Ensemble size (\d+), budget (\d+) TE\n\n(.*?)\n(?:\n|$)", text, re.DOTALL)
    blocks = {(int(size), int(budget)): table for size, budget, table in blocks}
    assert list(blocks) == [(size, budget) for size in (3, 5) for budget in (20, 40, 80)]
    for (size, budget), table in blocks.items():
        rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
        assert [method for method, *_ in rows] == list(records["method"].unique())
        for method, *cells in rows:
            for column, cell in zip(COLUMNS, cells, strict=True):
                in_block = means.loc[(size, budget), column.metric]
                mean, half_width = map(float, cell.strip("*").split(" ± "))
                assert mean == in_block[method]
                low, high = bootstrap_interval(runs[size, budget, method][column.metric])
                assert half_width == pytest.approx((high - low) / 2 * scale(column), abs=0.51 * 10**-column.digits)
                is_best = column.metric in best and mean == best[column.metric](in_block)
                assert cell.startswith("**") == is_best


def test_latex_underlines_the_second_best(folder, records):
    means = printed_means(records).loc[(5, 80.0)]
    table = (folder / "comparison.tex").read_text(encoding="utf-8").split("Budget 80 TE")[2]
    place = [column.metric for column in COLUMNS].index("nll") + 1
    cells = {row.split(" & ")[0]: row.split(" & ")[place] for row in table.splitlines() if " & " in row}
    best, second = sorted(means["nll"].unique())[:2]
    assert {m for m, cell in cells.items() if r"\textbf" in cell} == set(means.index[means["nll"] == best])
    assert {m for m, cell in cells.items() if r"\underline" in cell} == set(means.index[means["nll"] == second])


def test_means_of_equal_digits_share_a_rank(records, context, tmp_path):
    pair = records[records["method"].isin(["nes-rs", "nes-re"])].copy()
    pair["nll"] = pair["method"].map({"nes-rs": 0.41234, "nes-re": 0.41231})
    write_tables(pair, tmp_path, context)
    assert (tmp_path / "comparison.tex").read_text(encoding="utf-8").count(r"\textbf{0.412}") == 2 * 6


def test_every_table_says_how_its_numbers_came_about(folder, context):
    for name in ("comparison.md", "comparison.tex"):
        text = (folder / name).read_text(encoding="utf-8").replace("\\", "")
        for words in (context["study"], context["bank"], context["data"], "10 repetitions", "95 %", "model FLOPs"):
            assert words in text


def test_an_incomplete_grid_leaves_no_table_behind(records, context, tmp_path):
    with pytest.raises(NessBenchError, match="missing runs: 1"):
        write_tables(records.drop(index=5), tmp_path / "tables", context)
    assert not (tmp_path / "tables").exists()


def test_latex_specials_are_escaped():
    assert escape(r"95 % of a_b & c\d ~ $5 #1 {x}^2 ±1") == (
        r"95 \% of a\_b \& c\textbackslash{}d \textasciitilde{} \$5 \#1 \{x\}\textasciicircum{}2 $\pm$1"
    )


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
