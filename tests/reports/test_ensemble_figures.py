"""The figures draw what the records say, keep text readable, and come out the same each time."""

import itertools
import math
from collections import Counter

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import METHODS, make_records
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from PIL import Image
from scipy.stats import studentized_range

from ness_bench.ensembles.metrics import BINS
from ness_bench.reports import style
from ness_bench.reports.ensembles import figures
from ness_bench.reports.ensembles.calibration import FEWEST
from ness_bench.reports.ensembles.members_as_samples import hamming
from ness_bench.reports.ensembles.panels import PAGE_HEIGHT
from ness_bench.reports.style import save_figures
from ness_bench.spaces.nas_bench_201 import OPERATIONS, to_string
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.metrics import metric_named


def draw_all(records, context):
    return {name: drawn.figure for name, drawn in figures.drawn(records, context).items()}


@pytest.fixture(scope="module")
def drawn(records, context):
    return draw_all(records, context)


def errorbars(axes):
    """The error bars of a panel, one container a method in the order of the records."""
    return [container for container in axes.containers if isinstance(container, mpl.container.ErrorbarContainer)]


def of_kind(axes, kind):
    return [one for one in axes.collections if isinstance(one, kind)]


def test_each_panel_of_the_nll_figure_draws_means_and_intervals_beside_their_budget(drawn, records, context):
    for axes, size in zip(drawn["nll_vs_budget"].axes, (3, 5), strict=True):
        assert [label.get_text() for label in axes.get_xticklabels()] == ["20", "40", "80"]
        places = []
        bands = of_kind(axes, FillBetweenPolyCollection)
        for (line, _, (bars,)), band, method in zip(errorbars(axes), bands, METHODS, strict=True):
            runs = records[(records["size"] == size) & (records["method"] == method)].groupby("budget")["nll"]
            assert line.get_ydata() == pytest.approx(runs.mean().to_numpy())
            intervals = np.array([bootstrap_interval(values) for _, values in runs])
            assert np.array([[low, high] for (_, low), (_, high) in bars.get_segments()]) == pytest.approx(intervals)
            corners = band.get_paths()[0].vertices
            in_band = [corners[np.isclose(corners[:, 0], x), 1] for x in line.get_xdata(orig=False)]
            assert np.array([[y.min(), y.max()] for y in in_band]) == pytest.approx(intervals)
            assert np.abs(np.log2(line.get_xdata(orig=False) / [20, 40, 80])).max() < 0.25
            places.append(line.get_xdata()[0])
        assert len(set(places)) == len(METHODS)
        best = [line.get_ydata()[0] for line in axes.lines if list(line.get_xdata()) == [0, 1]]
        assert best == [context["targets"][size].nll]


def test_the_diversity_figure_draws_runs_and_means_at_the_largest_budget_and_the_best_there_is(drawn, records):
    for axes, size in zip(drawn["accuracy_vs_diversity"].axes, (3, 5), strict=True):
        runs = records[(records["size"] == size) & (records["budget"] == 80)]
        clouds = [cloud.get_offsets() for cloud in of_kind(axes, PathCollection)]
        expected = [runs[runs["method"] == method][["disagreement", "accuracy"]] * 100 for method in METHODS]
        assert np.array(clouds) == pytest.approx(np.array(expected))
        for (line, _, _), method in zip(errorbars(axes), METHODS, strict=True):
            mean = 100 * runs[runs["method"] == method][["disagreement", "accuracy"]].mean()
            assert line.get_xydata()[0] == pytest.approx(mean.to_numpy())
        (star,) = [line for line in axes.lines if line.get_marker() == "*"]
        assert star.get_xydata().tolist() == [[13.0, 88.3]]
        assert axes.get_ylim()[1] > 88.3


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


def mean_ranks(records):
    """By method, of the sum of ranks in the cells of each seed."""
    wide = records.pivot_table(index=["seed", "size", "budget"], columns="method", values="nll")
    return wide.rank(axis=1).groupby("seed").sum().rank(axis=1).mean()


def test_bars_of_the_diagram_join_the_methods_whose_ranks_lie_within_the_critical_difference(drawn, records):
    (axes,) = drawn["critical_difference"].axes
    ranks = mean_ranks(records)
    names = {text.get_text().rpartition(" (")[0]: text for text in axes.texts if "(" in text.get_text()}
    assert set(names) == set(METHODS)
    for method, text in names.items():
        assert text.get_text() == f"{method} ({ranks[method]:.1f})"
        elbows = [line.get_data() for line in axes.lines if len(line.get_xdata()) == 3]
        side, height = text.get_ha(), text.get_position()[1]
        (rank,) = [x[0] for x, y in elbows if y[2] == height and (x[2] < x[0]) == (side == "right")]
        assert rank == pytest.approx(ranks[method])
    count, blocks = len(METHODS), records["seed"].nunique()
    quantile = studentized_range.ppf(0.95, count, np.inf) / math.sqrt(2)
    difference = quantile * math.sqrt(count * (count + 1) / (6 * blocks))
    bars = [line.get_xdata() for line in axes.lines if line.get_linewidth() > 2]
    for a, b in itertools.combinations(ranks, 2):
        joined = any(low <= min(a, b) + 1e-9 and max(a, b) <= high + 1e-9 for low, high in bars)
        assert joined == (abs(a - b) < difference)


def test_the_map_of_win_rates_counts_wins(drawn, records):
    (axes,) = drawn["win_rates"].axes
    shown = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    wide = records.pivot_table(index=["seed", "size", "budget"], columns="method", values="nll")
    for (row, ours), (column, theirs) in itertools.product(enumerate(METHODS), repeat=2):
        rate = 100 * (wide[ours] < wide[theirs]).mean()
        assert shown[column, row] == ("–" if row == column else f"{rate:.0f}")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(METHODS)


def test_profiles_are_shares_of_runs_that_regret_no_more_than_is_allowed(drawn, records):
    for axes, size in zip(drawn["regret_profiles"].axes, (3, 5), strict=True):
        for line, method in zip(axes.lines, METHODS, strict=True):
            regrets = records[(records["size"] == size) & (records["method"] == method)]["regret"].to_numpy()
            thresholds, shares = line.get_data()
            assert shares == pytest.approx([100 * np.mean(regrets <= threshold) for threshold in thresholds])
        assert all(line.get_ydata()[0] < 50 for line in axes.lines)
        assert max(line.get_ydata()[-1] for line in axes.lines) == 100


def test_bars_of_the_composition_count_the_operations_of_the_members(drawn, records):
    dearest = records[records["budget"] == 80]
    for axes, size in zip(drawn["composition"].axes, (3, 5), strict=True):
        widths = np.array([bar.get_width() for bar in axes.patches]).reshape(len(OPERATIONS), len(METHODS))
        assert widths.sum(axis=0) == pytest.approx(100)
        for place, method in enumerate(METHODS):
            runs = dearest[(dearest["method"] == method) & (dearest["size"] == size)]
            text = "".join(string for of_run in runs["architectures"] for string in of_run)
            counts = np.array([text.count(f"|{operation}~") for operation in OPERATIONS])
            assert widths[:, place] == pytest.approx(100 * counts / counts.sum())


def test_reliability_pools_runs_bin_by_bin_and_leaves_out_bins_of_few_examples(drawn, records):
    panels = [axes for axes in drawn["calibration"].axes if axes.get_visible()]
    for axes, method in zip(panels, METHODS, strict=True):
        clouds, errors = of_kind(axes, PathCollection), []
        for size, cloud in zip((3, 5), clouds, strict=True):
            runs = records[(records["method"] == method) & (records["size"] == size) & (records["budget"] == 80)]
            points = []
            for one_bin in range(BINS):
                examples, confidence, right = (
                    sum(of_run[part][one_bin] for of_run in runs["reliability"])
                    for part in ("examples", "confidence", "right")
                )
                if examples >= FEWEST * 2000 * len(runs):
                    points.append([100 * confidence / examples, 100 * (right - confidence) / examples])
            assert 3 < len(points) < BINS - 2
            assert np.array(cloud.get_offsets()) == pytest.approx(np.array(points))
            errors.append(f"{runs['ece'].mean():.3f}")
        assert axes.get_title() == f"{method}\nECE {' · '.join(errors)}"


def test_the_mean_hamming_distance_is_over_all_pairs_of_members():
    near, far = to_string((0,) * 6), to_string((0, 1, 2, 3, 0, 0))
    assert hamming([near, far, far]) == pytest.approx((3 + 3 + 0) / 3)
    assert hamming([near]) == 0


def test_ensembles_are_shown_as_samples_over_their_size(drawn, records):
    runs = records[records["budget"] == 80]
    runs = runs.assign(hamming=runs["architectures"].map(hamming))
    for axes, metric in zip(drawn["members_as_samples"].axes, ("hamming", "distinct"), strict=True):
        for (line, _, _), method in zip(errorbars(axes), METHODS, strict=True):
            means = runs[runs["method"] == method].groupby("size")[metric].mean()
            assert line.get_ydata() == pytest.approx(means.to_numpy())
            assert np.abs(line.get_xdata(orig=False) - [3, 5]).max() < 0.5


def test_a_method_looks_the_same_everywhere_and_like_no_other(drawn):
    seen = [
        [(line.get_color(), line.get_marker()) for line, _, _ in errorbars(axes)]
        for name in ("nll_vs_budget", "accuracy_vs_diversity", "members_as_samples")
        for axes in drawn[name].axes
    ]
    assert all(panel == seen[0] for panel in seen)
    assert len(set(seen[0])) == len(METHODS)
    many = make_records({f"method {i}": METHODS["nes-rs"] for i in range(60)}, (3,), (20.0,), 1)
    looks = list(style.looks(many["method"].unique()).values())
    assert all(look not in looks[:place] for place, look in enumerate(looks))


MANY = dict(itertools.islice(((f"{name} with delta={i}", METHODS[name]) for i in range(3) for name in METHODS), 25))


@pytest.fixture(scope="module")
def crowded(context):
    return draw_all(make_records(MANY, (3, 5, 10), (10.0, 20.0, 40.0, 80.0, 160.0), 2), context)


@pytest.fixture(scope="module")
def lonely(context):
    return draw_all(make_records({"nes-rs": METHODS["nes-rs"]}, sizes=(3,), budgets=(40.0,), repetitions=1), context)


@pytest.mark.parametrize("study", ["drawn", "crowded", "lonely"])
@pytest.mark.parametrize("name", figures.FIGURES)
def test_nothing_is_clipped_no_tick_labels_overlap_and_it_fits_a_page(name, study, request, refuse_illegible):
    figure = request.getfixturevalue(study).get(name)
    if figure is None:
        assert (study, name in figures.OF_SEVERAL) == ("lonely", True)
        return
    refuse_illegible(figure)
    assert figure.get_figwidth() == style.TEXT_WIDTH
    assert figure.get_figheight() <= PAGE_HEIGHT


@pytest.mark.parametrize("study", ["drawn", "crowded"])
def test_no_names_overlap_in_the_diagram_of_ranks(study, request):
    figure = request.getfixturevalue(study)["critical_difference"]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > len(METHODS)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_seven_sizes_stand_in_rows_of_three(context):
    sizes = (1, 2, 3, 4, 5, 10, 15)
    few = {name: METHODS[name] for name in ("nes-rs", "ness-mc")}
    targets = dict.fromkeys(sizes, context["targets"][3])
    drawn = draw_all(make_records(few, sizes, (20.0,), 2), context | {"targets": targets})
    for name in ("nll_vs_budget", "accuracy_vs_diversity", "regret_profiles", "composition"):
        places = Counter(axes.get_subplotspec().rowspan.start for axes in drawn[name].axes)
        assert places == {0: 3, 1: 3, 2: 1}


def test_methods_are_ranked_by_the_metric_that_the_plan_judges_by(records, context):
    by_ece = figures.drawn(records, context | {"judged_by": metric_named("ece")})["critical_difference"]
    assert "by ECE" in by_ece.caption
    shown = {text.get_text() for text in by_ece.figure.axes[0].texts}
    wide = records.pivot_table(index=["seed", "size", "budget"], columns="method", values="ece")
    ranks = wide.rank(axis=1).groupby("seed").sum().rank(axis=1).mean()
    assert {f"{method} ({rank:.1f})" for method, rank in ranks.items()} <= shown


def test_an_outlier_is_written_down_rather_than_left_to_squeeze_the_rest(context):
    collapsed = METHODS | {"darts": (0.9, 0.0, 9, 0.0, False)}
    records = make_records(collapsed, repetitions=3)
    for name in ("nll_vs_budget", "accuracy_vs_diversity"):
        for axes in figures.FIGURES[name][0](records, context).axes:
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
    files = save_figures(figures.drawn(make_records(**SMALL), context), tmp_path_factory.mktemp("figures"))
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
    assert "{" not in page.read_text(encoding="utf-8")


def test_the_same_records_give_the_same_bytes(written, context, tmp_path):
    again = save_figures(figures.drawn(make_records(**SMALL), context), tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
