"""The tables say what the records say: means, intervals, ties, differences; and what they say can be read by LaTeX."""

import itertools
import re
import shutil
import subprocess
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from conftest import METHODS, make_records
from rich.console import Console
from scipy import stats
from small_plan import do, plan

from ness_bench.errors import NessBenchError
from ness_bench.reports.ensembles import terminal
from ness_bench.reports.ensembles.captions import protocol
from ness_bench.reports.ensembles.report import findings, judged_by
from ness_bench.reports.ensembles.tables import tables, texts
from ness_bench.reports.report import write_report
from ness_bench.reports.text import ends, escape, number, probability
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.metrics import OWN, metric_named
from ness_bench.studies.study import load_records

CELLS = [(size, budget) for size in (3, 5) for budget in (20, 40, 80)]


@pytest.fixture(scope="module")
def found(records, context):
    return tables(records, context)


@pytest.fixture(scope="module")
def written(found, context):
    return texts(found, context)


def blocks_of(markdown):
    """Rows of cells by the heading that stands above them."""
    parts = re.split(r"^### (.*)$", markdown, flags=re.MULTILINE)
    parts = [None, *parts] if len(parts) % 2 == 0 else parts
    tables = dict(zip(parts[1::2], parts[2::2], strict=True)) or {"": markdown}
    rows = {
        title: [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
        for title, text in tables.items()
    }
    return {title: [lines[0], *lines[2:]] for title, lines in rows.items()}


def places(runs, metric):
    """By method: 1 for the best and what a paired t-test at 5 % does not tell from it, 2 for the next, by the rule."""
    rest = dict(iter(runs.sort_values("seed").groupby("method", sort=False)[metric.name]))
    found, better = dict.fromkeys(rest, 0), max if metric.better == "↑" else min
    for place in (1, 2) if metric.better else ():
        best = better(rest.values(), key=lambda values: values.mean(), default=None)
        for method in list(rest):
            differences = rest[method].to_numpy() - best.to_numpy()
            if not differences.any() or stats.ttest_1samp(differences, 0).pvalue > 0.05:
                found[method] = place
                del rest[method]
    return found


def test_the_csv_holds_means_and_ends_of_intervals_in_the_units_of_the_records(written, records, context):
    table = pd.read_csv(StringIO(written["comparison.csv"]))
    order = [(size, budget, method) for size, budget in CELLS for method in METHODS]
    assert list(table[["size", "budget", "method"]].itertuples(index=False, name=None)) == order
    assert (table["repetitions"] == 10).all()
    for _, row in table.iloc[::7].iterrows():
        runs = records[(records[["size", "budget", "method"]] == row[["size", "budget", "method"]]).all(axis=1)]
        for metric in context["metrics"]:
            values = runs[metric.name].to_numpy()
            shown = [row[f"{metric.name}_{end}"] for end in ("mean", "low", "high")]
            assert shown == pytest.approx([values.mean(), *bootstrap_interval(values)], rel=1e-5)


def test_the_comparison_bolds_what_is_level_with_the_best_and_underlines_what_comes_next(found, records, context):
    blocks = blocks_of(found["comparison"].shown.markdown("how"))
    latex = found["comparison"].shown.latex("how").split(r"\midrule")[1:]
    page = found["comparison"].shown.on_page()
    assert list(blocks) == [f"Ensemble size {size}, budget {budget} TE" for size, budget in CELLS]
    seen = set()
    for (size, budget), (_, *rows), lines in zip(CELLS, blocks.values(), latex, strict=True):
        runs = records[(records["size"] == size) & (records["budget"] == budget)]
        in_latex = [cells for cells in (line.split(" & ") for line in lines.splitlines()) if cells[0] in METHODS]
        on_page = [row for row in page.rows if (row[1].text, row[2].value) == (str(size), budget)]
        assert [method for method, *_ in rows] == list(METHODS)
        for column, metric in enumerate(context["metrics"], start=1):
            expected = places(runs, metric)
            for row, tex, on_web in zip(rows, in_latex, on_page, strict=True):
                values = runs[runs["method"] == row[0]][metric.name]
                low, high = bootstrap_interval(values)
                digits, scale = metric.digits, metric.scale
                text = f"{scale * values.mean():.{digits}f} ± {scale * (high - low) / 2:.{digits}f}"
                place = expected[row[0]]
                assert row[column] == {0: text, 1: f"**{text}**", 2: f"<u>{text}</u>"}[place]
                begin = {0: "", 1: r"\textbf{", 2: r"\underline{"}[place]
                assert tex[column].startswith(begin + text.split()[0])
                assert (on_web[column + 2].text, on_web[column + 2].rank) == (text, place)
                seen.add((metric.better, place))
    assert seen == {("", 0), *itertools.product("↑↓", (0, 1, 2))}


def test_differences_are_those_of_paired_runs_all_cells_first(found, records, written):
    frame = pd.read_csv(StringIO(written["differences.csv"]))
    assert list(frame["metric"].unique()) == ["accuracy", "nll", "ece", "brier"]  # regret differs as NLL does
    others = [method for method in METHODS if method != "nes-rs"]
    blocks = blocks_of(written["differences.md"])
    titles = ["All sizes and budgets", *(f"Ensemble size {size}, budget {budget} TE" for size, budget in CELLS)]
    assert list(blocks) == titles
    wide = records.pivot_table(index="seed", columns=["size", "budget", "method"], values="nll")
    for title, cells in zip(titles, [CELLS, *([cell] for cell in CELLS)], strict=True):
        _, *rows = blocks[title]
        assert [row[0] for row in rows] == others
        p_values = []
        for method, difference, _, _, p, _ in rows:
            pairs = sum(wide[size, budget, method] - wide[size, budget, "nes-rs"] for size, budget in cells) / len(
                cells
            )
            interval = stats.ttest_1samp(pairs, 0).confidence_interval(0.95)
            assert difference == f"{number(pairs.mean(), 4, signed=True)} {ends(*interval, 4, signed=True)}"
            p_values.append(stats.wilcoxon(pairs, method="exact").pvalue)
            assert p == probability(p_values[-1])
        adjusted = np.maximum.accumulate(np.sort(p_values) * np.arange(len(others), 0, -1)).clip(max=1)
        assert [row[-1] for row in rows] == [probability(adjusted[i]) for i in np.argsort(np.argsort(p_values))]


def test_methods_share_a_letter_if_their_ranks_lie_within_the_critical_difference(found):
    frame = found["ranks"].frame.set_index("method")
    difference = frame["critical_difference"].iloc[0]
    for a, b in itertools.combinations(METHODS, 2):
        close = abs(frame.loc[a, "mean_rank"] - frame.loc[b, "mean_rank"]) < difference
        assert bool(set(frame.loc[a, "groups"]) & set(frame.loc[b, "groups"])) == close
    assert 1 < len(set("".join(frame["groups"]))) < len(METHODS)
    assert f"which is {difference:.2f}" in found["ranks"].shown.note


def test_win_rates_of_two_methods_sum_to_all_and_columns_are_numbered_as_rows_are(written, records):
    ((heads, *rows),) = blocks_of(written["win_rates.md"]).values()
    assert heads[1:] == [f"{place}" for place in range(1, len(METHODS) + 1)]
    assert [row[0] for row in rows] == [f"{place} {method}" for place, method in enumerate(METHODS, start=1)]
    wide = records.pivot_table(index=["seed", "size", "budget"], columns="method", values="nll")
    for (row, ours), (column, theirs) in itertools.permutations(enumerate(METHODS), 2):
        assert rows[row][column + 1] == f"{100 * (wide[ours] < wide[theirs]).mean():.0f}"


def test_the_area_of_budgets_that_double_weighs_the_outer_ones_half(written, records):
    ((_, *rows),) = blocks_of(written["areas.md"]).values()
    means = records.groupby(["method", "size", "budget"])["nll"].mean()
    for method, *cells in rows:
        of_sizes = [
            (means[method, size, 20] + 2 * means[method, size, 40] + means[method, size, 80]) / 4 for size in (3, 5)
        ]
        expected = [*of_sizes, np.mean(of_sizes)]
        assert [float(cell.split(" ± ")[0]) for cell in cells] == pytest.approx(expected, abs=0.00051)


def test_every_table_says_how_its_numbers_came_about_and_how_it_is_read(found, written, context):
    assert set(written) == {f"{name}.{suffix}" for name in found for suffix in ("csv", "md", "tex")}
    for name, table in found.items():
        for suffix in ("md", "tex"):
            text = written[f"{name}.{suffix}"]
            for words in (protocol(context), table.shown.note):
                assert (escape(words) if suffix == "tex" else words) in text


def test_a_plan_says_what_is_shown_and_what_methods_are_judged_by(records, context):
    chosen = context | {"metrics": (metric_named("member_nll"), metric_named("ece"))}
    found = tables(records, chosen | {"judged_by": judged_by(chosen["metrics"])})
    heads, *_ = blocks_of(found["comparison"].shown.markdown(""))["Ensemble size 3, budget 20 TE"]
    assert heads == ["Method", "Member NLL ↓", "ECE ↓"]
    assert "Member NLL minus that of nes-rs" in found["differences"].shown.note
    assert judged_by(tuple(map(metric_named, ("accuracy", "nll")))).name == "nll"
    assert judged_by((metric_named("disagreement"),)).name == "nll"


@pytest.mark.parametrize("shown", [["regret"], ["regret", "accuracy"]])
def test_a_plan_that_shows_regret_alone_holds_methods_against_each_other_by_nll(records, context, shown):
    metrics = tuple(map(metric_named, shown))
    found = tables(records, context | {"metrics": metrics, "judged_by": judged_by(metrics)})
    assert "NLL minus that of nes-rs" in found["differences"].shown.note
    assert "nll" in set(found["differences"].frame["metric"])
    assert list(terminal.shown(found))


def test_one_method_one_budget_and_one_repetition_leave_little_to_say(context):
    alone = make_records({"nes-rs": METHODS["nes-rs"]}, (3,), (40.0,), 2)
    assert list(tables(alone, context)) == ["comparison"]
    once = make_records({name: METHODS[name] for name in ("nes-rs", "darts")}, (3,), (20.0, 40.0), 1)
    found = tables(once, context)
    assert list(found) == ["comparison", "differences", "ranks", "win_rates", "areas"]
    (_, row), *_ = blocks_of(found["differences"].shown.markdown("")).values()
    assert "(" not in row[1]  # a single pair has no interval
    assert row[-1] == "1.000"
    assert "Friedman" not in found["ranks"].shown.note


def test_an_incomplete_grid_is_refused(records, context):
    with pytest.raises(NessBenchError, match="missing runs: 1"):
        tables(records.drop(index=5), context)


def test_latex_specials_are_escaped():
    assert escape(r"95 % of a_b & c\d ~ $5 #1 {x}^2 ±1 p < 2") == (
        r"95 \% of a\_b \& c\textbackslash{}d \textasciitilde{} \$5 \#1 \{x\}\textasciicircum{}2 $\pm$1 p $<$ 2"
    )


MANY = dict(itertools.islice(((f"{name} with_delta={i}", METHODS[name]) for i in range(3) for name in METHODS), 25))


@pytest.fixture(scope="module")
def crowded(context):
    records = make_records(MANY, (3, 5, 10), (10.0, 20.0, 40.0, 80.0, 160.0), 2)
    return tables(records, context | {"metrics": OWN, "reference": next(iter(MANY))})


@pytest.mark.parametrize("study", ["found", "crowded"])
def test_the_terminal_shows_tables_that_fit_80_columns(study, request, context):
    console = Console(width=80, file=StringIO())
    shown = list(terminal.shown(request.getfixturevalue(study)))
    for table in shown:
        console.print(table)
        assert console.measure(table).minimum <= 80
    text = console.file.getvalue()
    assert "…" not in text
    assert "Holm's" in text
    assert "Cost" in text
    if study == "found":
        assert "time s" in text
        assert len(shown) == len(CELLS) + 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("study", ["found", "crowded"])
def test_latex_compiles_and_fits_the_text_width_and_the_page(study, request, context, tmp_path):
    of_study = texts(request.getfixturevalue(study), context)
    document = (
        r"\documentclass{article}\usepackage[textwidth=5.5in]{geometry}\usepackage{booktabs,graphicx}"
        r"\begin{document}"
        + r"\clearpage".join(text for name, text in of_study.items() if name.endswith(".tex"))
        + r"\end{document}"
    )
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    for complaint in ("Overfull", "Float too large", "multiply defined", "Missing character"):
        assert complaint not in done.stdout


@pytest.fixture(scope="module")
def study(bank, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "small"
    assert do(plan(bank, metrics=["nll", "regret", "real_seconds"], reference="random-ensemble"), folder)[0] == []
    return folder


def test_the_report_on_a_study_holds_its_runs_against_the_best_ensembles_of_the_bank(study, bank):
    files = {path.relative_to(study).as_posix(): path for path in write_report(study).files}
    assert {"tables/win_rates.tex", "figures/composition.pdf", "index.html"} <= set(files)
    table = pd.read_csv(files["tables/comparison.csv"])
    for size, rows in table.groupby("size"):
        best = bank.optima["test", "nll", size]
        assert np.allclose(rows["nll_mean"] - rows["regret_mean"], best.value)
        assert (rows["regret_low"] >= 0).all()
    assert set(pd.read_csv(files["tables/differences.csv"])["method"]) == {"nes-rs"}
    assert (table["real_seconds_mean"] > 0).all()


def test_seconds_that_were_lost_are_not_shown_and_that_is_said(study, bank):
    records = load_records(study)
    records.loc[3, "real_seconds"] = np.nan
    of_bank = findings(plan(bank, metrics=["nll", "real_seconds"]), records)
    assert "Real time" not in of_bank.texts["comparison.md"]
    assert any("Real seconds" in warning for warning in of_bank.warnings)
    assert "NLL" in findings(plan(bank, metrics=["real_seconds"]), records).texts["comparison.md"]
