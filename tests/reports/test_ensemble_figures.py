"""The figures draw what the records say, keep text readable, and come out the same each time."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import METHODS, make_records
from matplotlib.collections import PathCollection
from PIL import Image

from ness_bench.reports import style
from ness_bench.reports.ensembles import figures
from ness_bench.studies.statistics import bootstrap_interval


@pytest.fixture(scope="module")
def drawn(records):
    return {name: draw(records) for name, (draw, _) in figures.FIGURES.items()}


def errorbars(axes):
    """The error bars of a panel, one container a method in the order of the records."""
    return [container for container in axes.containers if isinstance(container, mpl.container.ErrorbarContainer)]


def test_each_panel_of_the_nll_figure_draws_means_and_intervals_beside_their_budget(drawn, records):
    for axes, size in zip(drawn["nll_vs_budget"].axes, (3, 5), strict=True):
        assert [label.get_text() for label in axes.get_xticklabels()] == ["20", "40", "80"]
        places = []
        for (line, _, (bars,)), method in zip(errorbars(axes), METHODS, strict=True):
            runs = records[(records["size"] == size) & (records["method"] == method)].groupby("budget")["nll"]
            assert line.get_ydata() == pytest.approx(runs.mean().to_numpy())
            ends = [[low, high] for (_, low), (_, high) in bars.get_segments()]
            assert np.array(ends) == pytest.approx(np.array([bootstrap_interval(values) for _, values in runs]))
            assert np.abs(np.log2(line.get_xdata(orig=False) / [20, 40, 80])).max() < 0.25
            places.append(line.get_xdata()[0])
        assert len(set(places)) == len(METHODS)


def test_the_diversity_figure_draws_runs_and_means_at_the_largest_budget(drawn, records):
    for axes, size in zip(drawn["accuracy_vs_diversity"].axes, (3, 5), strict=True):
        runs = records[(records["size"] == size) & (records["budget"] == 80)]
        clouds = [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]
        expected = [runs[runs["method"] == method][["disagreement", "accuracy"]] * 100 for method in METHODS]
        assert np.array(clouds) == pytest.approx(np.array(expected))
        for (line, _, _), method in zip(errorbars(axes), METHODS, strict=True):
            mean = 100 * runs[runs["method"] == method][["disagreement", "accuracy"]].mean()
            assert line.get_xydata()[0] == pytest.approx(mean.to_numpy())


def test_bars_add_up_to_the_mean_cost_and_a_line_marks_the_budget(drawn, records):
    panels = zip(drawn["cost_breakdown"].axes, [(s, b) for s in (3, 5) for b in (20, 40, 80)], strict=True)
    for axes, (size, budget) in panels:
        runs = records[(records["size"] == size) & (records["budget"] == budget)]
        ends = [
            max(bar.get_x() + bar.get_width() for bar in axes.patches[place :: len(METHODS)])
            for place in range(len(METHODS))
        ]
        assert ends == pytest.approx(runs.groupby("method", sort=False)["cost"].mean().to_numpy())
        assert [line.get_xdata()[0] for line in axes.lines] == [budget]


def test_a_method_looks_the_same_everywhere_and_like_no_other(drawn):
    seen = [
        [(line.get_color(), line.get_marker()) for line, _, _ in errorbars(axes)]
        for name in ("nll_vs_budget", "accuracy_vs_diversity")
        for axes in drawn[name].axes
    ]
    assert all(panel == seen[0] for panel in seen)
    assert len(set(seen[0])) == len(METHODS)
    many = make_records({f"method {i}": METHODS["nes-rs"] for i in range(60)}, (3,), (20.0,), 1)
    looks = list(style.looks(many["method"].unique()).values())
    assert all(look not in looks[:place] for place, look in enumerate(looks))


LONG_NAMES = {f"{name} with a longer label": numbers for name, numbers in METHODS.items()}


@pytest.fixture(scope="module")
def crowded():
    records = make_records(LONG_NAMES, budgets=(10.0, 20.0, 40.0, 80.0), repetitions=2)
    return {name: draw(records) for name, (draw, _) in figures.FIGURES.items()}


@pytest.fixture(scope="module")
def lonely():
    records = make_records({"nes-rs": METHODS["nes-rs"]}, sizes=(3,), budgets=(40.0,), repetitions=2)
    return {name: draw(records) for name, (draw, _) in figures.FIGURES.items()}


@pytest.mark.parametrize("study", ["drawn", "crowded", "lonely"])
@pytest.mark.parametrize("name", figures.FIGURES)
def test_nothing_is_clipped_and_no_tick_labels_overlap(name, study, request, refuse_illegible):
    refuse_illegible(request.getfixturevalue(study)[name])


def test_an_outlier_is_written_down_rather_than_left_to_squeeze_the_rest():
    collapsed = METHODS | {"darts": (0.9, 0.0, 9, 0.0, False)}
    records = make_records(collapsed, repetitions=3)
    for name in ("nll_vs_budget", "accuracy_vs_diversity"):
        for axes in figures.FIGURES[name][0](records).axes:
            low, high = axes.get_ylim()
            inside = [np.all((low < line.get_ydata()) & (line.get_ydata() < high)) for line, _, _ in errorbars(axes)]
            assert inside == [method != "darts" for method in METHODS]
            (note,) = axes.texts
            assert note.get_text().split()[1] == "darts"
    lowest, highest = map(float, note.get_text().split()[2::2] * 2)
    mean = 100 * records.query("method == 'darts' and size == 5 and budget == 80")["accuracy"].mean()
    assert lowest == highest == pytest.approx(mean, abs=0.05)


def test_without_outliers_nothing_is_cut(drawn):
    for name in ("nll_vs_budget", "accuracy_vs_diversity"):
        for axes in drawn[name].axes:
            assert not axes.texts
            low, high = axes.get_ylim()
            assert all(low < y < high for line, _, _ in errorbars(axes) for y in line.get_ydata())


SMALL = {"sizes": (3,), "budgets": (20.0, 40.0), "repetitions": 2}


@pytest.fixture(scope="module")
def written(tmp_path_factory, context):
    before = dict(mpl.rcParams)
    files = figures.write_figures(make_records(**SMALL), tmp_path_factory.mktemp("figures"), context)
    assert dict(mpl.rcParams) == before, "Matplotlib is left as it was"
    assert plt.get_fignums() == []
    return files


def test_each_figure_is_written_for_paper_and_screen_and_shown_with_its_caption(written, context):
    *pictures, page = written
    assert [path.name for path in pictures] == [
        f"{name}.{suffix}" for name in figures.FIGURES for suffix in ("pdf", "png")
    ]
    for pdf, png in zip(pictures[::2], pictures[1::2], strict=True):
        content = pdf.read_bytes()
        assert content.startswith(b"%PDF")
        assert b"/Type3" not in content.replace(b" ", b"")
        assert Image.open(png).width == 200 * style.TEXT_WIDTH
        assert f"]({png.name})" in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count(context["data"]) == len(figures.FIGURES)


def test_the_same_records_give_the_same_bytes(written, context, tmp_path, monkeypatch):
    name = "nll_vs_budget"
    monkeypatch.setattr(figures, "FIGURES", {name: figures.FIGURES[name]})
    for again in figures.write_figures(make_records(**SMALL), tmp_path, context)[:2]:
        assert again.read_bytes() == (written[0].parent / again.name).read_bytes()
