"""The report on an ablation study says what its records say: planted effects are found, and none besides."""

import itertools
import re
import shutil
import subprocess
from io import StringIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from ness_bench.banks.ranks import classes_of, ranks_of, stand_alone
from ness_bench.engines.processes import Processes
from ness_bench.ensembles.oracle import Optimum
from ness_bench.errors import NessBenchError
from ness_bench.reports.ablations import supernets
from ness_bench.reports.ablations.captions import Context, shown
from ness_bench.reports.ablations.cells import factor_cells, prepared, sampler_cells
from ness_bench.reports.ablations.figures import factor_figure, values_of
from ness_bench.reports.ablations.lessons import lesson, spans
from ness_bench.reports.ablations.tables import texts
from ness_bench.reports.ablations.terminal import comparison, lessons
from ness_bench.reports.report import write_report
from ness_bench.reports.style import looks
from ness_bench.reports.text import write_texts
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.ablations import AblationPlan
from ness_bench.studies.study import run

METHODS = ["ness-mc", "ness-svgd-rd", "ness-k-dpp"]
FACTORS = {
    "budget": [20, 40, 80],
    "size": [1, 5],
    "cost_model": ["measured", "nas-bench-201"],
    "supernet_epochs": [40, 160],
    "temperature": [0.1, 1, 100],
    "delta": [0, 1, 10],
}
BEST = {1: Optimum("nll", (0,), 0.39, 0.39, True), 5: Optimum("nll", (0, 1), 0.35, 0.33, False)}

# What is added to NLL, by method, or by factor and value; of δ = 10 every run is that of the reference.
OF_METHOD = {"ness-mc": 0.003, "ness-svgd-rd": 0.0, "ness-k-dpp": -0.004}
OF_VALUE = {("temperature", 0.1): 0.08, ("temperature", 100): -0.005, ("size", 1): 0.08}


def make_plan(**changes):
    content = {"name": "ness", "bank": "fashion", "methods": METHODS, "size": 5, "budget": 40.0, "repetitions": 8}
    return AblationPlan.model_validate(content | {"factors": FACTORS} | changes, strict=False)


def make_records(plan):
    """Runs of one seed share more noise than they have of their own."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.01, plan.repetitions)
    rows = {}
    for entry, seed in itertools.product(plan.methods, range(plan.repetitions)):
        reference, label = plan.reference(entry), entry.label or entry.name
        factors = [factor for factor in plan.factors if factor in reference]
        changes = [(factor, value) for factor in factors for value in plan.values(factor, entry)]
        own = rng.normal(0, 0.001)
        for factor, value in changes:
            key = (label, seed) if value == reference[factor] else (label, seed, factor, value)
            fresh = 0.0 if key == (label, seed) or (factor, value) == ("delta", 10) else rng.normal(0, 0.001)
            effect = 0.0 if len(key) == 2 else OF_VALUE.get((factor, value), 0.0)
            nll = 0.37 + OF_METHOD.get(entry.name, 0.0) + effect + shared[seed] + own + fresh
            size = value if factor == "size" else plan.size
            measured = {
                "accuracy": 1 - nll / 2.7,
                "nll": nll,
                "disagreement": 0.09 + rng.normal(0, 0.003) if size > 1 else 0.0,
                "distinct": int(rng.integers(1, size + 1)),
                "cost_training": 1.1 * size,
                "cost_supernet": 4.0,
                "cost_evaluation": 1.0 + 0.1 * rng.random(),
            }
            cost = sum(measured[name] for name in measured if name.startswith("cost"))
            named = {"method": label, "seed": seed} | reference | {factor: value}
            rows.setdefault(key, named | measured | {"cost": cost})
    return prepared(pd.DataFrame(rows.values()), BEST)


@pytest.fixture(scope="module")
def plan():
    return make_plan()


@pytest.fixture(scope="module")
def records(plan):
    return make_records(plan)


@pytest.fixture(scope="module")
def factors(plan, records):
    return factor_cells(plan, records)


@pytest.fixture(scope="module")
def samplers(plan, records):
    return sampler_cells(plan, records, BEST)


@pytest.fixture(scope="module")
def context():
    return Context("ness", "fashion", "1,000 images", 8, "5 members", "0.3500 for 5 members (best found)", METHODS[1])


def of_factor(cells, factor):
    return cells[cells["factor"] == factor]


def at_reference(records, plan, method):
    reference = plan.reference(next(entry for entry in plan.methods if (entry.label or entry.name) == method))
    runs = records[records["method"] == method]
    return runs[(runs[list(reference)] == pd.Series(reference)).all(axis=1)].set_index("seed")


def test_cells_have_the_means_of_their_runs_and_differences_paired_by_seed(factors, plan, records):
    expected = [
        (factor, entry.name, value)
        for factor in FACTORS
        for entry in plan.methods
        if factor in plan.reference(entry)
        for value in plan.values(factor, entry)
    ]
    assert list(factors[["factor", "method", "value"]].itertuples(index=False, name=None)) == expected
    for row in factors.iloc[::3].to_dict("records"):
        reference = at_reference(records, plan, row["method"])
        if row["is_reference"]:
            runs = reference
        else:
            runs = records[(records["method"] == row["method"]) & (records[row["factor"]] == row["value"])]
            runs = runs.set_index("seed")
        assert row["repetitions"] == len(runs) == 8
        for metric in ("nll", "regret", "accuracy", "distinct", "disagreement", "cost"):
            found = [row[f"{metric}_{end}"] for end in ("mean", "low", "high")]
            assert found == pytest.approx([runs[metric].mean(), *bootstrap_interval(runs[metric])])
        assert row["search_mean"] == pytest.approx((runs["cost"] - runs["cost_training"]).mean())
        assert row["regret_mean"] == pytest.approx(row["nll_mean"] - BEST[row["size"]].value)
        pairs = runs["nll"] - reference["nll"]
        found = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        ends = (0, 0) if (pairs == 0).all() else stats.ttest_1samp(pairs, 0).confidence_interval(0.95)
        assert found == pytest.approx([pairs.mean(), *ends], abs=1e-12)


def test_planted_effects_are_found_although_the_intervals_of_means_overlap(factors):
    temperature = of_factor(factors, "temperature")
    for _, rows in temperature.groupby("method"):
        assert rows["verdict"].tolist() == ["worse", "reference", "better"]
        reference, better = rows.iloc[1], rows.iloc[2]
        assert better["nll_high"] > reference["nll_low"]
    assert of_factor(factors, "delta")["verdict"].tolist()[-1] == "same"


def test_samplers_are_held_against_svgd_rd_at_every_size(samplers, records, plan):
    assert samplers["size"].tolist() == [1, 1, 1, 5, 5, 5]
    assert samplers["method"].tolist() == 2 * METHODS
    assert samplers["verdict"].tolist() == 2 * ["worse", "reference", "better"]
    row = samplers.iloc[-1]
    pairs = at_reference(records, plan, "ness-k-dpp")["nll"] - at_reference(records, plan, "ness-svgd-rd")["nll"]
    assert row["difference"] == pytest.approx(pairs.mean())
    assert (row["optimum"], row["proof"], row["base"]) == (0.35, "best found", "ness-svgd-rd")
    assert row["regret_mean"] == pytest.approx(row["nll_mean"] - 0.35)


def test_without_svgd_rd_the_first_method_is_the_base_and_without_sizes_there_is_one():
    plan = make_plan(methods=[{"name": "ness-mc", "label": "mc"}, "ness-k-dpp"], factors={"temperature": [1, 100]})
    cells = sampler_cells(plan, make_records(plan), BEST)
    assert cells[["size", "method", "base", "verdict"]].to_numpy().tolist() == [
        [5, "mc", "mc", "reference"],
        [5, "ness-k-dpp", "mc", "better"],
    ]


def test_a_lesson_names_the_value_of_lowest_mean_and_all_that_differ(factors):
    cells = of_factor(factors, "temperature")
    title, text = lesson(cells).split(": ", 1)
    assert title == "Temperature"
    for method, sentence in zip(METHODS, re.split(r"(?<=\.) (?=ness)", text), strict=True):
        rows = cells[cells["method"] == method].set_index("value")
        low, high = -rows.loc[100, "difference_high"], -rows.loc[100, "difference_low"]
        nll, difference = rows.loc[100, "nll_mean"], -rows.loc[100, "difference"]
        assert sentence.startswith(
            f"{method} has its lowest mean at 100 (NLL {nll:.4f}), {difference:.4f} ({low:.4f} to {high:.4f}) "
            "below its reference (1); worse than it: 0.1, by 0.0"
        )


def test_a_lesson_does_not_take_noise_for_an_effect(factors):
    delta = lesson(of_factor(factors, "delta"))
    assert re.fullmatch(
        r"Weight of diversity δ: No value differs from the reference \(1\) by more than noise for "
        r"ness-svgd-rd \(NLL 0\.\d{4}\)\.",
        delta,
    )
    size = lesson(of_factor(factors, "size"))
    assert size.count("has its lowest mean at its reference: 5") == 3
    regrets = of_factor(factors, "size").set_index(["method", "value"])["regret_mean"]
    for method in METHODS:
        assert (
            f"{method} {regrets[method, 1]:.4f} and {regrets[method, 5]:.4f}" in size.split("Regret at 1 and at 5: ")[1]
        )


def test_a_lesson_says_where_nothing_changes_and_takes_nothing_from_a_single_run(factors):
    same = of_factor(factors, "delta")
    same = same[same["verdict"].isin(["reference", "same"])]
    assert "No value gives anything else than the reference (1) in any repetition for ness-svgd-rd" in lesson(same)
    only = of_factor(factors, "delta")
    assert "Only the reference (1) was run, for ness-svgd-rd" in lesson(only[only["is_reference"]])
    plan = make_plan(repetitions=1, factors={"temperature": [0.1, 1, 100]})
    single = lesson(factor_cells(plan, make_records(plan)))
    assert "No value differs from the reference (1) by more than noise for ness-mc (NLL 0.3" in single


def test_spans_name_the_extremes(factors):
    cells = of_factor(factors, "size")
    low, high = (getattr(cells["cost_mean"], end)() for end in ("min", "max"))
    where = cells.set_index("cost_mean")["method"]
    assert f"cost from {low:.1f} TE ({where[low]} at 1) to {high:.1f} TE ({where[high]} at 5)." in spans(cells)


@pytest.fixture(scope="module")
def drawn(factors):
    styles = looks(METHODS)
    return {name: factor_figure(cells, BEST, styles) for name, cells in factors.groupby("factor", sort=False)}


def errorbars(axes):
    return [container for container in axes.containers if isinstance(container, mpl.container.ErrorbarContainer)]


@pytest.mark.parametrize("factor", ["temperature", "cost_model", "delta"])
def test_panels_draw_means_and_intervals_beside_their_value(drawn, factors, factor):
    cells = of_factor(factors, factor)
    methods = cells["method"].unique()
    metrics = (("nll", 1), ("distinct", 1), ("disagreement", 100), ("cost", 1))
    for axes, (metric, scale) in zip(drawn[factor].axes, metrics, strict=True):
        assert len(errorbars(axes)) == len(methods)
        for (marks, _, (bars,)), method in zip(errorbars(axes), methods, strict=True):
            rows = cells[cells["method"] == method]
            assert marks.get_ydata() == pytest.approx(scale * rows[f"{metric}_mean"].to_numpy())
            ends = np.array([[low, high] for (_, low), (_, high) in bars.get_segments()])
            assert ends == pytest.approx(scale * rows[[f"{metric}_low", f"{metric}_high"]].to_numpy())
            assert np.rint(marks.get_xdata()).tolist() == list(range(len(rows)))
            assert marks.get_color() == looks(METHODS)[method].colour
    labels = [label.get_text() for label in drawn[factor].axes[0].get_xticklabels()]
    assert labels == [shown(factor, value) for value in values_of(cells)]


def test_the_reference_is_shaded_and_what_can_be_reached_is_dashed(drawn):
    for factor, place in (("temperature", 1), ("delta", 1), ("supernet_epochs", 0), ("size", 1)):
        for axes in drawn[factor].axes:
            (band,) = axes.patches
            assert (band.get_x(), band.get_width()) == (place - 0.5, 1)
    nll, distinct, _, cost = drawn["size"].axes
    assert [segment[0][1] for segment in nll.collections[-1].get_segments()] == [0.39, 0.35]
    assert [segment[0][1] for segment in distinct.collections[-1].get_segments()] == [1, 5]
    assert cost.lines[-1].get_ydata()[0] == 40
    budgets = drawn["budget"].axes[-1].collections[-1]
    assert [segment[0][1] for segment in budgets.get_segments()] == [20, 40, 80]
    assert drawn["cost_model"].axes[0].lines[-1].get_ydata()[0] == 0.35


def test_what_would_squeeze_the_rest_is_written_down(drawn, factors):
    axes = drawn["temperature"].axes[0]
    means = of_factor(factors, "temperature").set_index(["method", "value"])["nll_mean"]
    (note,) = (text.get_text() for text in axes.texts)
    assert note.splitlines() == [f"↑ {method} at 0.1: {means[method, 0.1]:.3f}" for method in METHODS]
    low, high = axes.get_ylim()
    assert low < 0.35 < means.drop(0.1, level="value").max() < high < means.min() + 0.08
    far = {5: Optimum("nll", (0,), 0.2, 0.2, True)}
    axes = factor_figure(of_factor(factors, "delta"), far, looks(METHODS)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["↓ best in the bank: 0.2000"]
    assert axes.get_ylim()[0] > 0.3


def test_a_number_that_stands_for_something_else_is_named_and_not_joined(drawn):
    axes = drawn["supernet_epochs"].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["by share", "40", "160"]
    joined = [line for line in axes.lines if line.get_linestyle() not in ("None", "") and len(line.get_xdata()) == 2]
    assert sum(np.rint(line.get_xdata()).tolist() == [1, 2] for line in joined) == len(METHODS)


@pytest.fixture(scope="module")
def crowded():
    """Many methods of long names at many values."""
    labels = [f"ness-mc with a longer label {place}" for place in range(7)]
    methods = [{"name": "ness-mc", "label": label} for label in labels]
    plan = make_plan(methods=methods, factors={"temperature": [10.0**power for power in range(-4, 6)]}, repetitions=2)
    return {"temperature": factor_figure(factor_cells(plan, make_records(plan)), BEST, looks(labels))}


@pytest.fixture(scope="module")
def lonely():
    plan = make_plan(methods=["ness-mc"], factors={"temperature": [1.0]}, repetitions=1)
    return {"temperature": factor_figure(factor_cells(plan, make_records(plan)), BEST, looks(METHODS))}


@pytest.mark.parametrize(
    ("study", "name"), [*(("drawn", name) for name in FACTORS), ("crowded", "temperature"), ("lonely", "temperature")]
)
def test_nothing_is_clipped_and_no_tick_labels_overlap(study, name, request, refuse_illegible):
    refuse_illegible(request.getfixturevalue(study)[name])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, factors, samplers, context):
    folder = tmp_path_factory.mktemp("tables")
    write_texts(texts(factors, samplers, context), folder)
    return folder


def rows_of(text):
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]


def test_the_csv_holds_what_the_cells_hold(folder, factors):
    table = pd.read_csv(folder / "ablations.csv", dtype={"value": str})
    assert len(table) == len(factors)
    for column in ("nll_mean", "cost_high", "difference_low"):
        assert table[column].to_numpy() == pytest.approx(factors[column].to_numpy(), rel=1e-6)
    assert table["verdict"].tolist() == factors["verdict"].tolist()


def test_markdown_prints_a_table_a_factor_with_differences_in_thousandths(folder, factors):
    how, *blocks = (folder / "ablations.md").read_text(encoding="utf-8").split("\n### ")
    assert "no interval is corrected" in how
    assert [block.splitlines()[0] for block in blocks] == [
        "Budget (TE)", "Ensemble size n", "Cost model", "Supernet training (epochs)", "Temperature",
        "Weight of diversity δ",
    ]  # fmt: skip
    heads, _, *rows = rows_of(blocks[4])
    assert rows[0][0] == "**ness-mc**"
    expected = of_factor(factors, "temperature").iloc[2]
    row = dict(zip(heads, rows[3], strict=True))
    ends = [f"{1000 * expected[f'difference{end}']:+.1f}".replace("-", "−") for end in ("", "_low", "_high")]
    assert row["Value"] == "100"
    assert row["NLL ↓"].startswith(f"{expected['nll_mean']:.4f} ± ")
    assert row["Difference of NLL × 1000"] == f"{ends[0]} ({ends[1]} to {ends[2]})"
    assert rows[2][0] == "1 (ref.)"
    assert rows[2][heads.index("Difference of NLL × 1000")] == "–"


def test_a_single_repetition_has_differences_without_intervals(context):
    plan = make_plan(repetitions=1)
    cells = prepared(make_records(plan), BEST)
    written = texts(factor_cells(plan, cells), sampler_cells(plan, cells, BEST), context)
    assert all("inf" not in written[f"{name}.{kind}"] for name in ("ablations", "samplers") for kind in ("md", "tex"))


def test_the_samplers_table_says_who_is_better_and_how_far_the_best_is(folder, samplers):
    text = (folder / "samplers.md").read_text(encoding="utf-8")
    assert text.startswith("Differences are to ness-svgd-rd")
    heads, _, *rows = rows_of(text)
    assert rows[0][0] == "**Ensembles of 1; best in the bank 0.3900 (proved)**"
    assert rows[4][0] == "**Ensembles of 5; best in the bank 0.3500 (best found)**"
    methods = [dict(zip(heads, row, strict=True)) for row in rows if not row[0].startswith("**")]
    assert [row["Verdict"] for row in methods] == samplers["verdict"].tolist()
    assert [row["Regret"] for row in methods] == [f"{mean:.4f}" for mean in samplers["regret_mean"]]


def test_the_terminal_tables_fit_80_columns(samplers, factors):
    console = Console(width=80, file=StringIO())
    sentences = [lesson(cells) for _, cells in factors.groupby("factor", sort=False)]
    for table in (*comparison(samplers.assign(verdict="within noise")), lessons(sentences)):
        console.print(table)
    text = console.file.getvalue()
    assert "…" not in text
    assert "reference (1) by more than noise" in " ".join(text.split())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_and_fits_the_text_width(folder, bank, tmp_path):
    write_texts(supernets.texts(supernets.correlations(bank), bank), tmp_path)
    tables = [folder / "ablations.tex", folder / "samplers.tex", tmp_path / "supernets.tex"]
    document = (
        r"\documentclass{article}\usepackage[textwidth=5.5in]{geometry}\usepackage{booktabs}\begin{document}"
        + "".join(path.read_text(encoding="utf-8") for path in tables)
        + r"\end{document}"
    )
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


def test_every_letter_of_a_latex_table_is_one_that_latex_has(folder, bank, tmp_path):
    write_texts(supernets.texts(supernets.correlations(bank), bank), tmp_path)
    for path in (folder / "ablations.tex", folder / "samplers.tex", tmp_path / "supernets.tex"):
        assert set(re.findall(r"[^\x00-\x7f]", path.read_text(encoding="utf-8"))) <= set("–×")


def test_supernets_are_told_by_kind_and_length_beside_another_training(bank):
    table = supernets.correlations(bank)
    assert table[["kind", "epochs", "seeds"]].to_numpy().tolist() == [
        ["darts", 1, 2], ["uniform", 1, 2], ["uniform", 2, 2], ["trained again", 1, 5],
    ]  # fmt: skip
    of = [ranks_of(bank, supernet) for supernet in bank.supernets if supernet.epochs == 2]
    row = table.iloc[2]
    spearmans = [ranks["classes"].spearman for ranks in of]
    ends = [np.mean(spearmans), min(spearmans), max(spearmans)]
    assert [row[f"spearman_{end}"] for end in ("mean", "min", "max")] == pytest.approx(ends)
    assert row["string_kendall_mean"] == pytest.approx(np.mean([ranks["strings"].kendall for ranks in of]))
    said = supernets.lesson(table)
    assert f"uniform, 2 epochs: {ends[0]:.2f} of all classes" in said
    assert f"another seed: {table.iloc[-1]['spearman_mean']:.2f} of random classes" in said


def test_a_panel_a_supernet_shows_every_class_and_its_correlations(bank, refuse_illegible):
    figure = supernets.rank_correlation(bank)
    refuse_illegible(figure)
    first = [supernet for supernet in bank.supernets if supernet.seed == 0]
    classes = classes_of(bank)
    for axes, supernet in zip(figure.axes, first, strict=True):
        points = np.asarray(axes.collections[0].get_offsets())
        assert points[:, 0] == pytest.approx(supernet.nll[supernet.rows(classes)])
        assert points[:, 1] == pytest.approx(100 * stand_alone(bank, classes))
        assert f"ρ = {ranks_of(bank, supernet)['classes'].spearman:.2f}" in axes.texts[0].get_text()


@pytest.fixture(scope="module")
def study(bank, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    small = {"name": "small", "bank": str(bank.folder), "methods": ["ness-mc", "ness-svgd-rd"], "size": 2}
    factors = {"temperature": [1.0, 1000.0], "size": [2.0, 3.0]}
    plan = AblationPlan.model_validate(small | {"budget": 100.0, "repetitions": 2, "factors": factors})
    assert run(plan, folder, Processes(1), lambda state: None, lambda: None) == []
    return folder


def test_a_report_is_written_the_same_twice_and_its_captions_say_how_it_came_about(study):
    written = write_report(study)
    before = {path: path.read_bytes() for path in written.files}
    names = {"factor_temperature.png", "factor_size.png", "rank_correlation.png"}
    assert {path.name for path in before if path.suffix == ".png"} == names
    page = (study / "figures" / "figures.md").read_text(encoding="utf-8")
    for words in (
        "Study small on bank ",
        "250 validation and 300 test images",
        "over 2 repetitions",
        "2 members, budget",
    ):
        assert page.count(words) == 2
    assert page.count("stand-alone test accuracy (seed 0, whole test split)") == 1
    assert len(written.shown) == 2 + 1
    assert all(path.read_bytes() == before[path] for path in write_report(study).files)


def test_an_incomplete_study_is_refused(study, tmp_path):
    shutil.copytree(study / "runs", tmp_path / "runs")
    for name in ("study.json", "environment.json"):
        shutil.copy(study / name, tmp_path)
    sorted((tmp_path / "runs").iterdir())[0].unlink()
    with pytest.raises(NessBenchError, match="lacks 1 of 12 runs"):
        write_report(tmp_path)
    assert not (tmp_path / "figures").exists()
