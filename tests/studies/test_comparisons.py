"""Comparisons of methods against SciPy cell by cell, and what must not change them: order, direction, copies."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.statistics.holm import holm
from ness_bench.studies import comparisons
from ness_bench.studies.metrics import metric_named

METHODS, SIZES, BUDGETS, SEEDS = ["nes-rs", "darts", "ness-mc", "random"], [3, 5], [10.0, 20.0, 40.0], 9
NLL, ACCURACY, COST = metric_named("nll"), metric_named("accuracy"), metric_named("cost")


@pytest.fixture
def records():
    """A grid, seed by seed, of losses that all cells of a seed share in part; `accuracy` is the same, upside down."""
    rng = np.random.default_rng(0)
    axes = itertools.product(range(SEEDS), SIZES, BUDGETS, METHODS)
    frame = pd.DataFrame(axes, columns=["seed", "size", "budget", "method"])
    of_seed = pd.Series(rng.normal(size=SEEDS * 4), pd.MultiIndex.from_product([range(SEEDS), METHODS]))
    shared = of_seed.loc[list(zip(frame["seed"], frame["method"], strict=True))].to_numpy()
    skill = frame["method"].map(dict(zip(METHODS, [0, 2, 0.2, 1], strict=True)))
    losses = skill + shared + 0.7 * rng.normal(size=len(frame))
    return frame.assign(nll=losses, accuracy=-losses, cost=frame["budget"])


def one_cell(records, size=3, budget=20.0):
    return records[(records["size"] == size) & (records["budget"] == budget)]


def by_seed(records, method, metric="nll"):
    """[seeds, cells]."""
    runs = records[records["method"] == method]
    return runs.pivot(index="seed", columns=["size", "budget"], values=metric).to_numpy()


def test_each_cell_is_compared_seed_by_seed(records):
    rows = comparisons.against(records, NLL, "darts").set_index(["method", "cell"])
    for method in ["nes-rs", "ness-mc", "random"]:
        row = rows.loc[method, "size 3, budget 20"]
        ours, theirs = (by_seed(one_cell(records), name)[:, 0] for name in (method, "darts"))
        expected = stats.ttest_rel(ours, theirs).confidence_interval()
        assert (row["mean"], row.low, row.high) == pytest.approx((np.mean(ours - theirs), expected.low, expected.high))
        assert row.iqm == pytest.approx(stats.trim_mean(ours - theirs, 0.25))
        assert row.iqm_low < row.iqm < row.iqm_high
        assert row.improvement == pytest.approx(stats.mannwhitneyu(theirs, ours).statistic / SEEDS**2)
        assert row.improvement_low <= row.improvement <= row.improvement_high
        assert row.p == pytest.approx(stats.wilcoxon(ours, theirs, method="exact").pvalue)
        assert (row["size"], row.budget, row.pairs, row.pooled) == (3, 20, SEEDS, False)


def test_all_cells_together_are_compared_by_the_means_of_seeds(records):
    rows = comparisons.against(records, NLL, "darts")
    pooled = rows[rows["pooled"]].set_index("method")
    assert pooled["size"].isna().all()
    assert pooled["budget"].isna().all()
    assert (pooled["cell"] == comparisons.POOLED).all()
    for method, row in pooled.iterrows():
        differences = by_seed(records, method) - by_seed(records, "darts")
        of_seeds = differences.mean(1)
        expected = stats.ttest_1samp(of_seeds, 0).confidence_interval()
        assert (row["mean"], row.low, row.high) == pytest.approx((of_seeds.mean(), expected.low, expected.high))
        assert row.iqm == pytest.approx(stats.trim_mean(differences, 0.25, axis=None))
        assert row.p == pytest.approx(stats.wilcoxon(of_seeds, method="exact").pvalue)
        assert row.pairs == SEEDS
        of_cells = rows[(rows["method"] == method) & ~rows["pooled"]]
        assert row.improvement == pytest.approx(of_cells["improvement"].mean())


def test_rows_come_in_the_order_of_the_records_and_p_is_adjusted_within_a_cell(records):
    rows = comparisons.against(records, NLL, "darts")
    cells = [f"size {size}, budget {budget:g}" for size in SIZES for budget in BUDGETS] + [comparisons.POOLED]
    expected = list(itertools.product(["nes-rs", "ness-mc", "random"], cells))
    assert list(zip(rows["method"], rows["cell"], strict=True)) == expected
    for _, of_cell in rows.groupby("cell"):
        np.testing.assert_allclose(of_cell["p_holm"], holm(of_cell["p"]))


def test_copies_of_a_cell_are_no_more_evidence(records):
    """The same runs at a second budget: nothing that is said of all cells changes."""
    cell = one_cell(records)
    copied = pd.concat([cell, cell.assign(budget=40.0)])
    once = comparisons.against(cell, NLL, "darts")
    twice = comparisons.against(copied, NLL, "darts")
    said = [column for column in once if column not in ("method", "size", "budget", "cell", "pooled")]
    for rows in (once[once["pooled"]], once[~once["pooled"]]):
        pd.testing.assert_frame_equal(
            twice.loc[twice["pooled"], said].reset_index(drop=True), rows[said].reset_index(drop=True)
        )
    for before, after in zip(
        vars(comparisons.ranks(cell, NLL)).values(), vars(comparisons.ranks(copied, NLL)).values(), strict=True
    ):
        np.testing.assert_equal(after, before)
    at = np.linspace(-2, 4, 9)
    pd.testing.assert_frame_equal(comparisons.profiles(copied, NLL, at), comparisons.profiles(cell, NLL, at))


def test_higher_is_better_where_the_metric_says_so(records):
    """Accuracy is NLL with its sign changed, so that all that is said of the methods must be the same."""
    lower, higher = (comparisons.against(records, metric, "random") for metric in (NLL, ACCURACY))
    np.testing.assert_allclose(higher[["mean", "low", "high"]], -lower[["mean", "high", "low"]])
    np.testing.assert_allclose(higher["iqm"], -lower["iqm"])
    same = ["improvement", "improvement_low", "improvement_high", "p", "p_holm"]
    np.testing.assert_allclose(higher[same], lower[same])
    better = lower[lower["method"] == "nes-rs"]
    assert (better["mean"] < 0).all()
    assert (better["improvement"] > 0.5).all()
    np.testing.assert_array_equal(
        comparisons.ranks(records, ACCURACY).mean_ranks, comparisons.ranks(records, NLL).mean_ranks
    )
    pd.testing.assert_frame_equal(comparisons.win_rates(records, ACCURACY), comparisons.win_rates(records, NLL))
    at = np.append(np.linspace(-2, 4, 9), records["nll"].iloc[5])
    mirrored = comparisons.profiles(records, ACCURACY, -at).assign(threshold=lambda frame: -frame["threshold"])
    pd.testing.assert_frame_equal(mirrored, comparisons.profiles(records, NLL, at))
    cell = one_cell(records)
    assert comparisons.tied_with_best(cell, ACCURACY) == comparisons.tied_with_best(cell, NLL)


def test_neither_the_order_of_runs_nor_a_second_look_changes_what_is_said(records):
    methods_first = records.iloc[:4]
    shuffled = pd.concat([methods_first, records.iloc[4:].sample(frac=1, random_state=1)])
    for compare in (
        lambda frame: comparisons.against(frame, NLL, "darts"),
        lambda frame: comparisons.win_rates(frame, NLL),
        lambda frame: comparisons.profiles(frame, NLL, [0.0, 1.0]),
        lambda frame: comparisons.budget_area(frame, NLL),
    ):
        pd.testing.assert_frame_equal(compare(shuffled), compare(records))


def test_in_one_cell_ranks_are_those_of_friedmans_test(records):
    cell = one_cell(records)
    found = comparisons.ranks(cell, NLL)
    losses = np.column_stack([by_seed(cell, method)[:, 0] for method in METHODS])
    chi_square = stats.friedmanchisquare(*losses.T).statistic
    f = (SEEDS - 1) * chi_square / (SEEDS * 3 - chi_square)
    assert (found.methods, found.blocks) == (METHODS, SEEDS)
    np.testing.assert_allclose(found.mean_ranks, stats.rankdata(losses, axis=1).mean(0))
    assert (found.statistic, found.p) == pytest.approx((f, stats.f.sf(f, 3, 3 * (SEEDS - 1))))
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * SEEDS)), abs=1e-3)


def test_of_several_cells_a_seed_ranks_methods_by_their_ranks_in_each(records):
    found = comparisons.ranks(records, NLL)
    by_cell = np.stack([by_seed(records, method) for method in METHODS], axis=-1)  # [seeds, cells, methods]
    places = stats.rankdata(stats.rankdata(by_cell, axis=-1).sum(1), axis=-1)
    np.testing.assert_allclose(found.mean_ranks, places.mean(0))
    assert found.blocks == SEEDS
    ranked = dict(zip(METHODS, found.mean_ranks, strict=True))
    assert ranked["nes-rs"] < ranked["random"] < ranked["darts"]
    for first, second in itertools.combinations(METHODS, 2):
        together = any({first, second} <= set(group) for group in found.groups)
        assert together == (abs(ranked[first] - ranked[second]) < found.critical_difference)


def test_equal_methods_are_told_apart_in_5_percent_of_studies_though_cells_share_their_seeds():
    """Were each cell of a seed a block of its own, it would be 64 %."""
    rng = np.random.default_rng(1)
    axes = pd.DataFrame(
        itertools.product("abcd", [3, 5], [1.0, 2.0, 4.0], range(8)), columns=["method", "size", "budget", "seed"]
    )
    found = []
    for _ in range(100):
        losses = rng.normal(size=(4, 1, 8)) + 0.5 * rng.normal(size=(4, 6, 8))
        found.append(comparisons.ranks(axes.assign(nll=losses.ravel()), NLL).p < 0.05)
    assert np.mean(found) < 0.1


def test_win_rates_are_shares_of_single_runs(records):
    rates = comparisons.win_rates(records, NLL)
    assert rates.index.tolist() == rates.columns.tolist() == METHODS
    wins = by_seed(records, "nes-rs") < by_seed(records, "random")
    assert rates.loc["nes-rs", "random"] == pytest.approx(wins.mean())
    assert rates.loc["random", "nes-rs"] == pytest.approx(1 - wins.mean())
    assert (np.diag(rates) == 0.5).all()


def test_profiles_are_shares_of_runs_with_a_band_over_seeds(records):
    found = comparisons.profiles(records, NLL, [0.5, -0.5, 9.0])
    assert found["method"].tolist() == [method for method in METHODS for _ in range(3)]
    assert found["threshold"].tolist() == [0.5, -0.5, 9.0] * 4
    for row in found.itertuples():
        enough = by_seed(records, row.method) <= row.threshold
        assert row.share == pytest.approx(enough.mean())
        assert (row.low, row.high) == pytest.approx(bootstrap_interval(enough.mean(1)))


def test_areas_are_those_of_each_seeds_curve(records):
    found = comparisons.budget_area(records, NLL)
    assert list(zip(found["method"], found["size"].fillna(0), found["pooled"], strict=True)) == [
        (method, size, not size) for method in METHODS for size in (3, 5, 0)
    ]
    found = found.set_index(["method", "pooled", "size"])
    curves = by_seed(records, "darts").reshape(SEEDS, 2, 3)
    areas = (curves[..., 0] + 2 * curves[..., 1] + curves[..., 2]) / 4  # budgets double from one to the next
    for place, size in enumerate(SIZES):
        row = found.loc["darts", False, size]
        assert row["mean"] == pytest.approx(areas[:, place].mean())
        assert (row["low"], row["high"]) == pytest.approx(bootstrap_interval(areas[:, place]))
    pooled = found.loc[[("darts", True, pd.NA)]].iloc[0]
    assert pooled["mean"] == pytest.approx(areas.mean())
    assert (pooled["low"], pooled["high"]) == pytest.approx(bootstrap_interval(areas.mean(1)))


def test_a_metric_without_merit_has_areas_but_is_not_compared_by(records):
    area = comparisons.budget_area(records, COST)
    assert area["mean"].to_numpy() == pytest.approx((10 + 2 * 20 + 40) / 4)
    assert set(comparisons.tied_with_best(one_cell(records), COST).values()) == {0}
    for compare in (
        lambda: comparisons.against(records, COST, "darts"),
        lambda: comparisons.ranks(records, COST),
        lambda: comparisons.win_rates(records, COST),
        lambda: comparisons.profiles(records, COST, [1.0]),
    ):
        with pytest.raises(NessBenchError, match='by the metric "cost"'):
            compare()


def test_the_best_and_the_next_are_marked_with_all_that_is_level_with_them():
    """Differences within a pair, not the spread over seeds, decide: seeds spread far wider than methods differ."""
    rng = np.random.default_rng(2)
    common = 5 * rng.normal(size=10)
    jitter = np.array([1, -1] * 5) * 0.1
    losses = {
        "third": common + 3,
        "best": common,
        "level with the next": common + 1 + 1.01 * jitter,
        "level with the best": common + 0.01 + jitter,
        "next": common + 1,
    }
    runs = pd.DataFrame(
        [(m, s, x) for m, values in losses.items() for s, x in enumerate(values)], columns=["method", "seed", "nll"]
    )
    places = {"third": 0, "best": 1, "level with the next": 2, "level with the best": 1, "next": 2}
    assert comparisons.tied_with_best(runs, NLL) == places
    assert list(comparisons.tied_with_best(runs, NLL)) == list(losses)
    assert comparisons.tied_with_best(runs.assign(size=3, budget=20.0), NLL) == places


def test_methods_that_find_the_same_are_level_and_of_one_seed_all_are():
    runs = pd.DataFrame({"method": ["a", "b", "c"] * 3, "seed": np.repeat(range(3), 3), "nll": [1.0, 1.0, 2.0] * 3})
    assert comparisons.tied_with_best(runs, NLL) == {"a": 1, "b": 1, "c": 2}
    assert comparisons.tied_with_best(runs[runs["seed"] == 0], NLL) == {"a": 1, "b": 1, "c": 1}
    one_seed = runs[runs["seed"] == 0].assign(size=3, budget=20.0)
    row = comparisons.against(one_seed, NLL, "c").iloc[0]
    assert (row["mean"], row["low"], row["high"], row["p"], row["pairs"]) == (-1, -np.inf, np.inf, 1, 1)
    assert np.isnan(comparisons.ranks(one_seed, NLL).p)


def test_a_reference_alone_is_compared_with_nothing(records):
    alone = comparisons.against(records[records["method"] == "darts"], NLL, "darts")
    full = comparisons.against(records, NLL, "darts")
    assert alone.empty
    assert list(alone.columns) == list(full.columns)


def test_what_cannot_be_compared_is_refused_by_name(records):
    with pytest.raises(
        NessBenchError, match=r'"dart" is none of the methods; did you mean "darts"\?; there are: nes-rs'
    ):
        comparisons.against(records, NLL, "dart")
    with pytest.raises(NessBenchError, match="two methods or more, but all runs are of darts"):
        comparisons.ranks(records[records["method"] == "darts"], NLL)
    with pytest.raises(NessBenchError, match="no runs to compare"):
        comparisons.win_rates(records.iloc[:0], NLL)
    with pytest.raises(NessBenchError, match="lack the columns mine"):
        comparisons.win_rates(records, replace(NLL, name="mine"))
    with pytest.raises(NessBenchError, match="the runs are of 6; give one cell"):
        comparisons.tied_with_best(records, NLL)


def test_incomplete_grids_are_refused_with_what_is_missing(records):
    gone = records.loc[7]
    named = f"method {gone['method']}, size {gone['size']}, budget {gone['budget']}, seed {gone['seed']}"
    rest = records.drop(index=7)
    for compare in (
        lambda: comparisons.against(rest, NLL, "darts"),
        lambda: comparisons.ranks(rest, NLL),
        lambda: comparisons.win_rates(rest, NLL),
        lambda: comparisons.profiles(rest, NLL, [1.0]),
        lambda: comparisons.budget_area(rest, NLL),
        lambda: comparisons.tied_with_best(one_cell(rest, gone["size"], gone["budget"]), NLL),
    ):
        with pytest.raises(NessBenchError, match="missing runs: 1") as refusal:
            compare()
        assert named in str(refusal.value)
