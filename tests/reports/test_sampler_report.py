"""The report on a study of samplers says what its records say, in tables and in figures."""

import itertools
import shutil
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from rich.console import Console

from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError
from ness_bench.reports.report import write_report
from ness_bench.reports.samplers import figures
from ness_bench.reports.samplers.cells import Middle, means_of, middle_of
from ness_bench.reports.samplers.figures import FIGURES
from ness_bench.reports.samplers.tables import texts
from ness_bench.reports.samplers.terminal import tables
from ness_bench.reports.text import write_texts
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.samplers import MONTE_CARLO, SVGD_RD, SamplerPlan, SamplerRun
from ness_bench.studies.study import run

TEMPERATURES, SIZES, DELTAS, SIGMAS = [10.0, 100.0, 1000.0], [3, 5, 10], [0.0, 1.0, 10.0], [0.5, 1.0]
MIDDLE = Middle(100.0, 5, 1.0, 1.0)


def plan(**changes):
    content = {"name": "study", "table": "embedded", "dataset": "cifar10", "epochs": 200, "ensembles": 2}
    axes = {"temperatures": TEMPERATURES, "sizes": SIZES, "deltas": DELTAS, "sigmas": SIGMAS, "repetitions": 3}
    return SamplerPlan.model_validate(content | axes | changes)


def make_records(temperatures=TEMPERATURES, sizes=SIZES, deltas=DELTAS, sigmas=SIGMAS):
    rng = np.random.default_rng(0)
    samplers = [(MONTE_CARLO, None, None), *((SVGD_RD, *constants) for constants in itertools.product(deltas, sigmas))]
    rows = []
    for seed, temperature, size, (sampler, delta, sigma) in itertools.product(range(3), temperatures, sizes, samplers):
        heat = np.log10(temperature)
        measures = {
            "entropy": 3 * heat,
            "kl": 1 / (1 + heat),
            "total_variation": 0.2 * heat,
            "mean_accuracy": 0.93 - 0.01 * heat + rng.normal(0, 0.001),
            "best_accuracy": 0.94 - 0.005 * heat + rng.normal(0, 0.001),
            "hamming": 1.5 * heat + rng.normal(0, 0.1),
            "distinct": size - rng.random(),
            "squared_mmd": 0.6 / size + rng.normal(0, 0.01),
            "squared_mmd_p": 0.7 / size + rng.normal(0, 0.01),
            "ess": size * rng.uniform(0.9, 3),
            "ess_p": size * rng.uniform(0.7, 2),
        }
        axes = {"sampler": sampler, "temperature": temperature, "size": size, "delta": delta, "sigma": sigma}
        rows.append({**axes, "seed": seed, **measures})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def records():
    return make_records()


@pytest.fixture(scope="module")
def means(records):
    return means_of(records)


def runs_of(records, **axes):
    for axis, value in axes.items():
        records = records[records[axis] == value]
    return records


def test_the_csv_has_all_cells_with_the_means_and_intervals_of_their_runs(records, means, tmp_path):
    write_texts(texts(means, MIDDLE, "How."), tmp_path)
    table = pd.read_csv(tmp_path / "samplers.csv")
    assert len(table) == 3 * 3 * (1 + 3 * 2)
    assert not table.duplicated(["sampler", "temperature", "size", "delta", "sigma"]).any()
    for row in table.iloc[::5].to_dict("records"):
        constants = {} if row["sampler"] == MONTE_CARLO else {axis: row[axis] for axis in ("delta", "sigma")}
        runs = runs_of(records, **{axis: row[axis] for axis in ("sampler", "temperature", "size")}, **constants)
        assert row["repetitions"] == len(runs) == 3
        for measure in SamplerRun.RESULT:
            shown = [row[f"{measure}_{end}"] for end in ("mean", "low", "high")]
            assert shown == pytest.approx([runs[measure].mean(), *bootstrap_interval(runs[measure])])


def test_what_is_held_fixed_is_the_median_and_nearest_to_the_defaults():
    assert middle_of(plan()) == MIDDLE
    assert middle_of(plan(temperatures=[30, 10], deltas=[10, 3], sigmas=[0.2, 5, 0.9])) == Middle(10, 5, 3, 0.9)


def test_markdown_shows_the_posterior_and_both_samplers_at_every_temperature_and_size(records, means, tmp_path):
    write_texts(texts(means, MIDDLE, "How it came about."), tmp_path)
    head, *blocks = (tmp_path / "samplers.md").read_text(encoding="utf-8").split("\n### ")
    assert head.startswith("How it came about.")
    posterior, *by_temperature = [
        [line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("|")][2:] for block in blocks
    ]
    assert posterior[1] == ["100", "6.000", "0.333", "0.400"]
    for rows, temperature in zip(by_temperature, TEMPERATURES, strict=True):
        expected = [
            runs_of(records, temperature=temperature, size=size, sampler=sampler, **constants)
            for size in SIZES
            for sampler, constants in ((MONTE_CARLO, {}), (SVGD_RD, {"delta": 1.0, "sigma": 1.0}))
        ]
        for row, runs in zip(rows, expected, strict=True):
            name = {MONTE_CARLO: "Monte Carlo", SVGD_RD: "SVGD-RD"}[runs["sampler"].iloc[0]]
            assert row[0] == f"{name}, n = {runs['size'].iloc[0]}"
            low, high = bootstrap_interval(runs["mean_accuracy"])
            assert row[1] == f"{100 * runs['mean_accuracy'].mean():.2f} ± {100 * (high - low) / 2:.2f}"
            assert row[-1].startswith(f"{runs['ess'].mean():.1f} ± ")


def test_the_terminal_tables_fit_80_columns(means):
    console = Console(width=80, file=StringIO())
    for table in tables(means, MIDDLE):
        console.print(table)
    assert "…" not in console.file.getvalue()


@pytest.fixture(scope="module")
def drawn(means):
    return {name: draw(means, MIDDLE) for name, (draw, _) in FIGURES.items()}


@pytest.fixture(scope="module")
def lonely():
    means = means_of(make_records([10.0], [3], [0.0], [0.5]))
    return {name: draw(means, Middle(10.0, 3, 0.0, 0.5)) for name, (draw, _) in FIGURES.items()}


@pytest.fixture(scope="module")
def crowded():
    means = means_of(make_records([1, 3, 10, 30, 100, 300, 1000], [1, 2, 3, 5], [-0.5, 0, 30], [1.0]))
    return {name: draw(means, MIDDLE_OF_MANY) for name, (draw, _) in FIGURES.items()}


MIDDLE_OF_MANY = Middle(30, 3, 0, 1.0)


def test_the_posterior_is_drawn_over_temperature(drawn):
    heats = np.log10(TEMPERATURES)
    for axes, expected in zip(drawn["posterior"].axes, (3 * heats, 1 / (1 + heats), 0.2 * heats), strict=True):
        assert axes.lines[0].get_xdata() == pytest.approx(TEMPERATURES)
        assert axes.lines[0].get_ydata() == pytest.approx(expected)
    assert drawn["posterior"].axes[0].lines[1].get_ydata()[0] == pytest.approx(np.log(5**6))


@pytest.mark.parametrize(
    ("name", "varied", "values"),
    [("over_temperature", "temperature", TEMPERATURES), ("over_size", "size", SIZES), ("over_delta", "delta", DELTAS)],
)
def test_panels_draw_means_and_intervals_as_one_thing_varies(drawn, records, name, varied, values):
    fixed = {"temperature": 100.0, "size": 5, "delta": 1.0, "sigma": 1.0}
    of_monte_carlo = runs_of(records, sampler=MONTE_CARLO)
    of_svgd = [runs_of(records, sampler=SVGD_RD, sigma=sigma) for sigma in (SIGMAS if varied == "delta" else [1.0])]
    columns = {"mean_accuracy": 100, "best_accuracy": 100, "hamming": 1, "squared_mmd": 1, "ess": 1}
    for axes, (column, scale) in zip(drawn[name].axes, columns.items(), strict=False):
        bands = [one for one in axes.collections if isinstance(one, FillBetweenPolyCollection)]
        for line, band, runs in zip(axes.lines, bands, [of_monte_carlo, *of_svgd], strict=False):
            expected = []
            for value in values:
                at = {axis: fixed[axis] for axis in fixed if runs[axis].notna().all()} | {varied: value}
                at.pop("sigma", None)
                if runs is of_monte_carlo:
                    at.pop("delta", None)
                expected.append(scale * runs_of(runs, **at)[column])
            assert line.get_xdata() == pytest.approx(values)
            assert line.get_ydata() == pytest.approx([of_value.mean() for of_value in expected])
            low, high = bootstrap_interval(expected[0])
            ends = [y for x, y in band.get_paths()[0].vertices if x == values[0]]
            assert (min(ends), max(ends)) == pytest.approx((low, high))
        assert len(bands) == 1 + len(of_svgd)
    reference = drawn[name].axes[4].lines[-1]
    assert list(reference.get_ydata()) == (SIZES if varied == "size" else [5, 5, 5])


@pytest.mark.parametrize("study", ["drawn", "crowded", "lonely"])
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_clipped_and_no_tick_labels_overlap(name, study, request, refuse_illegible):
    refuse_illegible(request.getfixturevalue(study)[name])


@pytest.fixture(scope="module")
def study(make_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    small = plan(table=make_table(), temperatures=[30.0], sizes=[3], deltas=[1.0], sigmas=[1.0], repetitions=2)
    assert run(small, folder, Processes(1), lambda state: None, lambda: None) == []
    return folder


def test_a_report_is_written_the_same_twice_and_its_captions_say_how_it_came_about(study, monkeypatch):
    before = {path: path.read_bytes() for path in write_report(study).files}
    captions = (study / "figures" / "figures.md").read_text(encoding="utf-8")
    for words in (
        "made up for tests; digest ",
        "25,000 log(accuracy)",
        "cifar10 after 200 epochs",
        "means over the seeds there are",
        "2 ensembles",
        "2 repetitions",
    ):
        assert captions.count(words) == len(FIGURES)
    assert "at temperature 30, ensembles of 3" in captions
    monkeypatch.setattr(figures, "FIGURES", {"over_delta": FIGURES["over_delta"]})
    *again, _, _ = write_report(study).files  # but for figures.md and the page
    assert len(again) == 2 + 2
    assert all(path.read_bytes() == before[path] for path in again)


def test_an_incomplete_study_is_refused(study, tmp_path):
    shutil.copytree(study / "runs", tmp_path / "runs")
    for name in ("study.json", "environment.json"):
        shutil.copy(study / name, tmp_path)
    sorted((tmp_path / "runs").iterdir())[0].unlink()
    with pytest.raises(NessBenchError, match="lacks 1 of 4 runs"):
        write_report(tmp_path)
    assert not (tmp_path / "figures").exists()
