"""Summaries of complete, incomplete and damaged grids; paired differences."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ness_bench.errors import NessBenchError
from ness_bench.statistics.bootstrap import bootstrap_interval
from ness_bench.statistics.student import Difference
from ness_bench.studies.statistics import paired_difference, refuse_incomplete, summarise


@pytest.fixture
def records():
    """2 methods × 2 sizes × 3 budgets × 5 seeds."""
    axes = itertools.product(range(5), [3, 5], [10.0, 20.0, 40.0], ["nes-rs", "darts"])
    frame = pd.DataFrame([(m, s, b, r) for r, s, b, m in axes], columns=["method", "size", "budget", "seed"])
    rng = np.random.default_rng(0)
    return frame.assign(nll=rng.gamma(2, size=len(frame)), accuracy=rng.beta(8, 2, size=len(frame)))


def test_a_summary_has_one_row_a_cell_and_metric_with_methods_in_the_order_of_the_records(records):
    records = records.iloc[[0, *reversed(range(1, 60))]]
    summary = summarise(records, ["nll", "accuracy"])
    cells = itertools.product(["nes-rs", "darts"], [3, 5], [10.0, 20.0, 40.0], ["nll", "accuracy"])
    assert list(summary[["method", "size", "budget", "metric"]].itertuples(index=False, name=None)) == list(cells)
    assert (summary["repetitions"] == 5).all()
    for row in summary.itertuples():
        runs = records[
            (records["method"] == row.method) & (records["size"] == row.size) & (records["budget"] == row.budget)
        ]
        values = runs[row.metric].to_numpy()
        assert row.mean == pytest.approx(values.mean())
        assert (row.low, row.high) == bootstrap_interval(values)


def test_a_cell_is_summarised_alike_whatever_else_was_run(records):
    alone = summarise(records[records["method"] == "darts"], ["nll"])
    among = summarise(records, ["nll"])
    pd.testing.assert_frame_equal(alone, among[among["method"] == "darts"].reset_index(drop=True))


def test_a_missing_run_is_named(records):
    with pytest.raises(NessBenchError) as refusal:
        summarise(records.drop(index=7), ["nll"])
    gone = records.loc[7]
    assert "missing runs: 1 in a grid of 60" in str(refusal.value)
    named = f"method {gone['method']}, size {gone['size']}, budget {gone['budget']}, seed {gone['seed']}"
    assert str(refusal.value).endswith(named)


def test_of_many_missing_runs_ten_are_named_and_the_rest_counted(records):
    with pytest.raises(NessBenchError) as refusal:
        summarise(records.drop(index=range(0, 39, 3)), ["nll"])
    assert "missing runs: 13" in str(refusal.value)
    assert str(refusal.value).count("method ") == 10
    assert str(refusal.value).endswith("and 3 more")


def test_repeated_and_unscored_runs_are_refused(records):
    with pytest.raises(NessBenchError, match="repeated runs: 1"):
        summarise(pd.concat([records, records.iloc[[3]]]), ["nll"])
    records.loc[3, "nll"] = np.nan
    with pytest.raises(NessBenchError, match="unscored runs: 1"):
        summarise(records, ["accuracy", "nll"])
    assert len(summarise(records, ["accuracy"])) == 12


def test_records_without_a_metric_or_an_axis_are_refused_by_what_they_lack(records):
    with pytest.raises(NessBenchError, match="lack the columns seed, brier; they have method, size, budget, nll, acc"):
        refuse_incomplete(records.drop(columns="seed"), ["nll", "brier"])


def test_pairs_of_a_seed_are_subtracted_whatever_their_order():
    """What both sides of a pair share cancels: seeds spread a hundred times wider than the difference does."""
    rng = np.random.default_rng(0)
    common, gain = rng.normal(size=20), 0.03 + 0.01 * rng.normal(size=20)
    others = pd.DataFrame({"seed": range(20), "nll": common})
    runs = pd.DataFrame({"seed": range(20), "nll": common - gain}).sample(frac=1, random_state=1)
    found = paired_difference(runs, others, "nll")
    assert found.mean == pytest.approx(-gain.mean())
    expected = stats.ttest_1samp(-gain, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.clear
    shifted = paired_difference(runs, others.assign(nll=common[::-1]), "nll")  # pairs that share nothing
    assert shifted.high - shifted.low > 20 * (found.high - found.low)
    assert not shifted.clear


@pytest.mark.parametrize(
    ("difference", "clear", "none"),
    [
        (Difference(0.2, 0.1, 0.3), True, False),
        (Difference(-0.2, -0.3, -0.1), True, False),
        (Difference(0.2, 0.0, 0.4), False, False),
        (Difference(0.0, 0.0, 0.0), False, True),
    ],
)
def test_a_difference_is_clear_if_its_interval_leaves_out_zero(difference, clear, none):
    assert (difference.clear, difference.none) == (clear, none)


def test_a_single_pair_tells_nothing():
    runs, others = (pd.DataFrame({"seed": [3], "nll": [value]}) for value in (0.5, 0.3))
    found = paired_difference(runs, others, "nll")
    assert (found.mean, found.low, found.high) == (pytest.approx(0.2), -np.inf, np.inf)
    assert not found.clear


@pytest.mark.parametrize("seeds", [[0, 1], [0, 1, 3], [0, 1, 1]])
def test_runs_of_other_seeds_are_no_pairs(seeds):
    runs = pd.DataFrame({"seed": [0, 1, 2], "nll": 0.0})
    with pytest.raises(NessBenchError, match=r"of the seeds \[0, 1, 2\] and of"):
        paired_difference(runs, pd.DataFrame({"seed": seeds, "nll": 0.0}), "nll")
