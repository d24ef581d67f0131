import itertools
from collections import Counter

import pytest

from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError
from ness_bench.studies.ablations import AblationPlan, by_factor
from ness_bench.studies.plan_file import read_plan
from ness_bench.studies.study import load_records, run


def plan_of(bank, **changes):
    content = {
        "name": "ablations",
        "bank": str(bank.folder),
        "methods": ["ness-mc", {"name": "ness-svgd-rd", "label": "svgd", "constants": {"epochs": 2}}],
        "size": 3,
        "budget": 300.0,
        "repetitions": 2,
        "factors": {"size": [1, 3], "delta": [0, 10.0], "draws": [1, 10], "averaging": ["logits"]},
    }
    return AblationPlan.model_validate(content | changes)


def test_one_factor_is_changed_at_a_time(bank):
    plan = plan_of(bank)
    runs = plan.runs()
    assert Counter((r.label, r.repetition) for r in runs) == {
        ("ness-mc", 0): 4, ("ness-mc", 1): 4,  # the reference, size 1, one draw, logits
        ("svgd", 0): 6, ("svgd", 1): 6,  # and δ of 0 and 10, beside the default of 1
    }  # fmt: skip
    entries = {(entry.label or entry.name): entry for entry in plan.methods}
    for one in runs:
        setting = {"size": one.size, "budget": one.budget, "cost_model": one.cost_model, **one.constants}
        reference = plan.reference(entries[one.label])
        assert sum(setting[name] != reference[name] for name in reference) <= 1
        assert type(one.size) is int
        assert type(one.constants["draws"]) is int
    assert reference["epochs"] == 2  # the plan's constant, not the method's


def test_two_methods_may_share_a_setting(bank):
    """What one has as its reference, the other has where a factor is changed; a value named twice is one."""
    variant = {"name": "ness-svgd-rd", "label": "strong", "constants": {"delta": 10.0}}
    runs = plan_of(bank, methods=["ness-svgd-rd", variant], factors={"delta": [1.0, 10.0, 10]}).runs()
    assert Counter((r.label, r.constants["delta"], r.repetition) for r in runs) == Counter(
        itertools.product(("ness-svgd-rd", "strong"), (1.0, 10.0), (0, 1))
    )


def test_a_method_may_have_some_of_the_factors_only(bank):
    few = {"name": "ness-svgd-rd", "factors": ["delta", "size"]}
    runs = plan_of(bank, methods=["ness-mc", few]).runs()
    assert Counter(r.label for r in runs) == {"ness-mc": 8, "ness-svgd-rd": 8}  # the reference, size 1, δ of 0 and 10


def test_records_are_sorted_by_factor(bank, tmp_path):
    plan = plan_of(bank)
    assert run(plan, tmp_path / "s", Processes(1), lambda state: None, lambda: None) == []
    rows = by_factor(plan, load_records(tmp_path / "s"))
    counted = Counter(zip(rows["factor"], rows["value"], rows["method"], strict=True))
    assert counted == {
        ("size", 1, "ness-mc"): 2, ("size", 3, "ness-mc"): 2, ("size", 1, "svgd"): 2, ("size", 3, "svgd"): 2,
        ("delta", 0.0, "svgd"): 2, ("delta", 1.0, "svgd"): 2, ("delta", 10.0, "svgd"): 2,
        ("draws", 1, "ness-mc"): 2, ("draws", 10, "ness-mc"): 2, ("draws", 1, "svgd"): 2, ("draws", 10, "svgd"): 2,
        ("averaging", "logits", "ness-mc"): 2, ("averaging", "probabilities", "ness-mc"): 2,
        ("averaging", "logits", "svgd"): 2, ("averaging", "probabilities", "svgd"): 2,
    }  # fmt: skip
    reference = rows[rows["is_reference"] & (rows["method"] == "ness-mc")]
    assert set(reference.groupby("seed")["nll"].nunique()) == {1}  # one run, in every factor
    assert (rows["distinct"] <= rows["size"]).all()
    assert (rows["distinct"] >= 1).all()


def test_a_plan_file_with_factors_is_one(bank, tmp_path):
    text = f"""
        name = "p"
        bank = "{bank.folder}"
        methods = ["ness-mc"]
        size = 3
        budget = 40
        repetitions = 1
        [factors]
        temperature = [1, 10]
    """
    (tmp_path / "p.toml").write_text(text)
    plan = read_plan(tmp_path / "p.toml")
    assert isinstance(plan, AblationPlan)
    assert [r.constants["temperature"] for r in plan.runs()] == [1, 10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": {"temprature": [1.0]}}, 'unknown factor "temprature"; did you mean "temperature"'),
        ({"factors": {"temperature": [0.0]}}, "must be positive"),
        ({"methods": [{"name": "ness-svgd-rd", "factors": ["sigma"]}]}, "of the plan's factors it has size, delta"),
        ({"factors": {"draws": [2.5]}}, "must be a whole number"),
        ({"factors": {"cost_model": ["free"]}}, 'unknown cost model "free"'),
        ({"factors": {"statistics": ["own"]}}, "allowed: batch, split, calibrated"),
        ({"factors": {"size": [1000]}}, "a whole number from 1 to 15"),
        ({"factors": {"size": ["big"]}}, "it takes numbers"),
        ({"factors": {"budget": [-1.0]}}, "positive"),
        (
            {"methods": ["ness-svgd-rd", {"name": "ness-svgd-rd", "constants": {"delta": 2.0}}]},
            "two methods of one name",
        ),
        ({"factors": {"size": [2.5]}}, "a whole number from 1 to 15"),
    ],
)
def test_what_cannot_be_run_is_refused(bank, changes, message):
    with pytest.raises(NessBenchError, match=message):
        plan_of(bank, **changes).runs()
