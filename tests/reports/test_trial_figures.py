"""The figures of a study of trials draw what the records say, and keep text readable."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, PathCollection

from ness_bench.reports.trials.figures import FIGURES
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.studies.trials import MOMENTS


@pytest.fixture(scope="module")
def drawn(trial_records, trial_context):
    return {name: draw(trial_records, trial_context) for name, (draw, _) in FIGURES.items()}


@pytest.fixture(scope="module")
def lonely(trial_records, trial_context):
    records = trial_records[(trial_records["method"] == "random-search") & (trial_records["seed"] == 0)]
    one = replace(trial_context, scored={"cifar10": trial_context.scored["cifar10"]}, published={})
    return {name: draw(records, one) for name, (draw, _) in FIGURES.items()}


@pytest.fixture(scope="module")
def crowded(trial_records, trial_context):
    labels = trial_records["method"] + " with a longer label"
    published = {f"{label} with a longer label": number for label, number in trial_context.published.items()}
    records, context = trial_records.assign(method=labels), replace(trial_context, published=published)
    return {name: draw(records, context) for name, (draw, _) in FIGURES.items()}


def errorbars(axes):
    return [container for container in axes.containers if isinstance(container, mpl.container.ErrorbarContainer)]


def test_lines_are_means_with_intervals_from_the_moment_when_all_have_a_network(drawn, trial_records):
    (axes,) = drawn["score_over_seconds"].axes
    methods = trial_records["method"].unique()
    bands = [one for one in axes.collections if isinstance(one, FillBetweenPolyCollection)]
    moments = np.linspace(12_000 / MOMENTS, 12_000, MOMENTS)
    for line, band, method in zip(axes.lines[: len(methods)], bands, methods, strict=True):
        progress = np.array(trial_records[trial_records["method"] == method]["progress"].tolist(), float)
        first = 3 if method == "reinforce" else 0  # one of its repetitions has nothing before
        assert line.get_xdata() == pytest.approx(moments[first:])
        assert line.get_ydata() == pytest.approx(100 * progress[:, first:].mean(0))
        low, high = bootstrap_interval(progress[:, 30])
        at_30 = [y for x, y in band.get_paths()[0].vertices if x == pytest.approx(moments[30])]
        assert (min(at_30), max(at_30)) == pytest.approx((100 * low, 100 * high))


def test_what_is_published_stands_beyond_the_budget_and_the_optimum_is_a_line(drawn, trial_context):
    (axes,) = drawn["score_over_seconds"].axes
    marks = errorbars(axes)
    for (line, _, (bar,)), number in zip(marks, trial_context.published.values(), strict=True):
        assert line.get_xdata()[0] > trial_context.seconds
        assert line.get_ydata()[0] == number.mean
        assert bar.get_segments()[0][:, 1] == pytest.approx([number.mean - number.std, number.mean + number.std])
        assert line.get_markerfacecolor() == "white"
    of_method = {line.get_marker(): line.get_color() for line in axes.lines[:3]}
    assert all(of_method[line.get_marker()] == line.get_color() for line, _, _ in marks)
    low, high = axes.get_ylim()
    assert low < 93.70 - 0.36
    assert high > 94.37
    assert [list(line.get_ydata()) for line in axes.lines if list(line.get_xdata()) == [0, 1]] == [[94.37] * 2]


def test_the_random_beginning_does_not_squeeze_the_rest(drawn, trial_records):
    (axes,) = drawn["score_over_seconds"].axes
    low, _ = axes.get_ylim()
    for line in axes.lines[:3]:
        assert line.get_ydata()[0] < low < line.get_ydata()[MOMENTS // 6]


def test_final_scores_are_drawn_one_by_one_with_their_mean_and_std_and_what_is_published(
    drawn, trial_records, trial_context
):
    for axes, dataset in zip(drawn["final_scores"].axes, trial_context.scored, strict=True):
        clouds = [one for one in axes.collections if isinstance(one, PathCollection)]
        marks = {line.get_ydata()[0]: (line, bar) for line, _, (bar,) in errorbars(axes)}
        for row, (cloud, (method, runs)) in enumerate(
            zip(clouds, trial_records.groupby("method", sort=False), strict=True)
        ):
            assert np.array(cloud.get_offsets()[:, 0]) == pytest.approx(100 * runs[dataset].to_numpy())
            assert np.all(np.abs(cloud.get_offsets()[:, 1] - row) < 0.5)
            line, bar = marks.pop(row + 0.15)
            mean, std = 100 * runs[dataset].mean(), 100 * runs[dataset].std(ddof=0)
            assert line.get_xdata()[0] == pytest.approx(mean)
            assert bar.get_segments()[0][:, 0] == pytest.approx([mean - std, mean + std])
            if dataset == "cifar10" and method in trial_context.published:
                assert marks.pop(row + 0.4)[0].get_xdata()[0] == trial_context.published[method].mean
        assert not marks


@pytest.mark.parametrize("study", ["drawn", "crowded", "lonely"])
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_clipped_and_no_tick_labels_overlap(name, study, request, refuse_illegible):
    refuse_illegible(request.getfixturevalue(study)[name])
