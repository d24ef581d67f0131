"""The gate, and that it notices: samplers broken on purpose fail it, healthy ones with other seeds pass."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_plan import do, plan

from ness_bench.errors import NessBenchError
from ness_bench.methods import nes_rs, ness
from ness_bench.sampling import monte_carlo, svgd, svgd_rd
from ness_bench.sampling.posterior import Posterior
from ness_bench.studies.baseline import baseline_of, read_baseline, write_baseline
from ness_bench.studies.ensembles import EnsemblePlan
from ness_bench.studies.gate import Check, check
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.study import Study, load_records

ROOT = Path(__file__).parents[2]
PLAN = read_plan(ROOT / "benchmarks" / "studies" / "gate.toml")


def study_of(plan, digest="0123456789abcdef" * 4):
    return Study(plan, "0.1.0", digest, {}, {})


def held_against_the_baseline(*labels, shift=0):
    """Methods of the gate's plan, run now with other seeds, against the baseline in the repository."""
    runs = [replace(run, repetition=run.repetition + shift) for run in PLAN.runs() if run.label in labels]
    records = pd.DataFrame([run.row(run.result()) for run in runs])
    records["seed"] -= shift
    kept = read_baseline(ROOT / "results" / "baseline.json")
    cells = [cell for cell in kept.cells if cell.method in labels]
    assert len(cells) == len(labels)
    return check(kept.model_copy(update={"cells": cells}), study_of(PLAN, runs[0].digest), records)


@pytest.mark.parametrize("shift", range(1000, 11000, 1000))
def test_healthy_methods_pass_whatever_their_seeds(shift):
    outcome = held_against_the_baseline(*(entry.called for entry in PLAN.methods), shift=shift)
    assert len(outcome.checks) == 20
    assert outcome.fallen == []
    assert not any(one.same for one in outcome.checks if one.metric == "nll")


def uniform_in_place_of_the_posterior(monkeypatch):
    draw = monte_carlo.draw
    monkeypatch.setattr(monte_carlo, "draw", lambda q, *rest: draw(Posterior.uniform(q.support), *rest))


def delta_of_the_wrong_sign(monkeypatch):
    monkeypatch.setattr(svgd_rd, "direction", lambda *of, direction=svgd.direction: direction(*of[:2], -of[2]))


def selection_on_shuffled_labels(monkeypatch):
    shuffled = np.random.default_rng(0).permutation(2000)
    for module, name in ((ness, "nll"), (nes_rs, "true_class")):
        of = getattr(module, name)
        monkeypatch.setattr(module, name, lambda predicted, labels, of=of: of(predicted, labels[shuffled]))


def forward_selection_of_the_worst(monkeypatch):
    def select(true_class, size):
        members = []
        for count in range(1, size + 1):
            losses = -np.log((true_class[members].sum(0) + true_class) / count).mean(1)
            losses[members] = -np.inf
            members.append(int(losses.argmax()))
        return members

    monkeypatch.setattr(nes_rs, "forward_select", select)


@pytest.mark.parametrize(
    ("fault", "label", "noticed"),
    [
        (uniform_in_place_of_the_posterior, "ness-mc one draw", {"nll", "member_nll", "disagreement"}),
        (delta_of_the_wrong_sign, "ness-svgd-rd one draw", {"nll", "oracle_accuracy", "disagreement", "distinct"}),
        (selection_on_shuffled_labels, "ness-mc wide", {"nll", "member_nll", "disagreement"}),
        (selection_on_shuffled_labels, "nes-rs", {"nll", "member_nll", "oracle_accuracy", "disagreement"}),
        (forward_selection_of_the_worst, "nes-rs", {"nll", "member_nll", "oracle_accuracy", "disagreement"}),
    ],
)
def test_broken_methods_fail(monkeypatch, fault, label, noticed):
    fault(monkeypatch)
    assert noticed <= {one.metric for one in held_against_the_baseline(label).fallen}


MARGINS = {"nll": 0.02, "accuracy": 0.02, "disagreement": 0.02}


def gated(**changes):
    content = {"name": "gated", "bank": "fashion", "methods": ["nes-rs"], "sizes": [3], "budgets": [20.0]}
    return EnsemblePlan.model_validate(content | {"repetitions": 6, "margins": MARGINS} | changes)


def rows(values, method="nes-rs", size=3, budget=20.0):
    """Records whose metrics, [seeds], are given by name."""
    return pd.DataFrame({"method": method, "size": size, "budget": budget, "seed": range(6)} | values)


def drawn(rng):
    return rows({metric: rng.normal(0.5, 0.02, 6) for metric in MARGINS})


def held(records, plan=None, reason="because"):
    return baseline_of(study_of(plan or gated()), records, reason, date(2025, 1, 31))


def test_the_verdict_is_that_of_one_sided_t_tests():
    """Of two of them, where neither more nor less is better."""
    verdicts = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        before, after = drawn(rng), drawn(rng)
        for one in check(held(before), study_of(gated()), after).checks:
            change = after[one.metric] - before[one.metric]
            above = stats.ttest_1samp(change, -0.02, alternative="greater").pvalue < 0.05
            below = stats.ttest_1samp(change, 0.02, alternative="less").pvalue < 0.05
            expected = {"nll": below, "accuracy": above, "disagreement": above and below}[one.metric]
            low, high = stats.t.interval(0.9, 5, change.mean(), stats.sem(change))
            bound = {"nll": high, "accuracy": low, "disagreement": max(low, high, key=abs)}[one.metric]
            assert one.holds == expected
            assert (one.difference, one.bound) == pytest.approx((change.mean(), bound), abs=1e-7)
            assert (one.was, one.now) == pytest.approx((before[one.metric].mean(), after[one.metric].mean()), abs=1e-7)
            assert one.margin == (-0.02 if one.metric == "accuracy" else 0.02)
            verdicts.add((one.metric, one.holds))
    assert len(verdicts) == 6


def test_a_baseline_is_kept_to_the_digits_that_matter_and_holds_its_own_study(tmp_path):
    records = pd.concat([drawn(np.random.default_rng(0)), drawn(np.random.default_rng(1)).assign(method="λ|[x]")])
    path = tmp_path / "new" / "baseline.json"
    write_baseline(path, held(records))
    text = path.read_text()
    write_baseline(path, held(records))
    assert path.read_text() == text
    assert len(text.splitlines()) == 2 * (6 + 7) + 13  # one a run
    assert json.loads(text)["date"] == "2025-01-31"
    kept = read_baseline(path)
    for cell in kept.cells:
        of_method = records[records["method"] == cell.method].set_index("seed")
        for seed, values in cell.runs.items():
            assert values == pytest.approx(dict(of_method.loc[int(seed), list(MARGINS)]), abs=1e-8)
    outcome = check(kept, study_of(gated()), records.sample(frac=1, random_state=0))
    assert all(one.same and one.difference == one.bound == 0 for one in outcome.checks)
    assert (len(outcome.checks), outcome.fallen, outcome.new) == (6, [], [])


def test_what_is_new_is_named_and_neither_checked_nor_in_the_way():
    records = drawn(np.random.default_rng(0))
    more = pd.concat([records, records.assign(seed=records["seed"] + 6), records.assign(size=5)])
    outcome = check(held(records), study_of(gated()), more)
    assert (len(outcome.checks), outcome.fallen) == (3, [])
    assert outcome.new == ["nes-rs, size 5, budget 20"]


RECORDS = drawn(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("study", "records", "message"),
    [
        (study_of(gated(), "f" * 64), RECORDS, "bank of the baseline \\(0123456789abcdef\\) and .* \\(ffffffff"),
        (study_of(gated(cost_model="nas-bench-201")), RECORDS, "cost model of the baseline \\(measured\\)"),
        (
            study_of(gated(margins=MARGINS | {"nll": 0.03})),
            RECORDS,
            "margins of the baseline \\(nll 0.02, .* \\(nll 0.03,",
        ),
        (study_of(gated(margins={})), RECORDS, "has no margins"),
        (study_of(read_plan(ROOT / "benchmarks" / "studies" / "samplers.toml")), RECORDS, "no study of ensembles"),
        (study_of(gated()), RECORDS[RECORDS["seed"] != 4], "lacks 1 runs .*\n  nes-rs, size 3, budget 20, seed 4$"),
        (study_of(gated()), RECORDS.assign(method="ness-mc"), "lacks 6 runs .*\n  nes-rs, size 3, budget 20, seed 0\n"),
        (study_of(gated()), RECORDS.assign(size=5), "lacks 6 runs"),
    ],
)
def test_what_cannot_be_compared_is_refused(study, records, message):
    with pytest.raises(NessBenchError, match=message):
        check(held(RECORDS), study, records)


def test_a_baseline_without_a_reason_a_margin_or_a_bound_is_refused():
    for reason in ("", " \n"):
        with pytest.raises(NessBenchError, match="needs a reason"):
            held(RECORDS, reason=reason)
    with pytest.raises(NessBenchError, match="has no margins"):
        held(RECORDS, gated(margins={}))
    with pytest.raises(NessBenchError, match="one repetition"):
        held(RECORDS[:1], gated(repetitions=1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema": 1', '"schema": 2', "of schema 2, and this ness_bench .* reads 1; use the version .* \\(0.1.0\\)"),
        ('"schema": 1,', "", "damaged"),
        ('"cells"', '"cell"', "damaged"),
        ("}", "", "damaged"),
        ('"budget": 20.0', '"budget": NaN', "damaged"),
        ('"nll": 0.02', '"nll": 0', "damaged"),
        ('"0": {"nll"', '"zero": {"nll"', "damaged"),
        ('"0": {"nll"', '"0": {"ece"', "damaged .*seed 0 has the metrics ece"),
        ('"nll"', '"nil"', 'unknown metric "nil"; did you mean "nll"'),
        ('"reason": "because"', '"reason": ""', "damaged"),
    ],
)
def test_damaged_baselines_and_those_of_another_schema_are_refused(tmp_path, old, new, message):
    path = tmp_path / "baseline.json"
    write_baseline(path, held(RECORDS))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(NessBenchError, match=message):
        read_baseline(path)


def test_margins_are_of_what_runs_record(bank):
    for name in ("real_seconds", "regret"):
        with pytest.raises(NessBenchError, match=f'"{name}" is given a margin, but'):
            plan(bank, margins={name: 1.0}).runs()
    with pytest.raises(NessBenchError, match='unknown metric "nlll"; did you mean "nll"'):
        plan(bank, margins={"nlll": 1.0}).runs()
    ids = [run.metrics for run in plan(bank).runs()]
    assert [run.metrics for run in plan(bank, margins={"nll": 1.0, "distinct": 1.0}).runs()] == ids


def ness_bench(*arguments):
    command = [sys.executable, "-m", "ness_bench.cli", "study", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_commands_tell_what_fell_by_table_and_exit_code(bank, tmp_path):
    folder, path = tmp_path / "study", tmp_path / "baseline.json"
    do(plan(bank, margins={"nll": 0.01, "accuracy": 0.01}, sizes=[2], budgets=[20.0]), folder)
    assert ness_bench("check", folder, "--against", path).returncode == 2
    written = ness_bench("baseline", folder, "--out", path, "--reason", "first")
    assert (written.returncode, written.stderr) == (0, "")
    held = ness_bench("check", folder, "--against", path)
    assert (held.returncode, held.stdout) == (0, "all 4 hold, 4 of them without any change\n")
    kept = read_baseline(path)
    for cell in kept.cells:
        if cell.method == "nes-rs":
            for values in cell.runs.values():
                values["nll"] -= 0.5
    write_baseline(path, kept)
    fell = ness_bench("check", folder, "--against", path)
    assert fell.returncode == 1
    mean = load_records(folder).groupby("method")["nll"].mean()["nes-rs"]
    assert fell.stderr == ""
    (row,) = [line for line in fell.stdout.splitlines() if line.startswith(" nes-rs")]
    assert row.split() == ["nes-rs", "nll", f"{mean - 0.5:.3f}", f"{mean:.3f}", "+0.500", "+0.500", "+0.010"]
    assert "1 of 4 fell" in fell.stdout


def test_numbers_are_told_with_two_digits_of_the_margin():
    told = {margin: replace(EXAMPLE, margin=margin).decimals for margin in (-0.015, 0.01, 0.75, 3.0, 20.0)}
    assert told == {-0.015: 3, 0.01: 3, 0.75: 2, 3.0: 1, 20.0: 0}


EXAMPLE = Check("nes-rs", 3, 20.0, "nll", 0.4, 0.4, 0.0, 0.0, 0.02, False, True, True)
