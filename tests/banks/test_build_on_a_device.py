import numpy as np
import pytest

from ness_bench.banks.bank import open_bank
from ness_bench.banks.build import build
from ness_bench.errors import NessBenchError
from ness_bench.testing.small_bank import small_plan

CHANGES = {"classes": 4, "random_repeated": 1, "best_repeated": 0, "extra_seeds": 1, "train_examples": 192}
SUPERNETS = {"uniform_epochs": (1,), "darts_epochs": 0, "supernet_seeds": 1}


def built(folder, device, stack=3):
    advanced = []
    plan = small_plan(device=device, **CHANGES, **SUPERNETS)
    build(plan, folder, 1, lambda stage, total, done: None, advanced.append, stack=stack)
    return open_bank(folder), advanced


def test_members_trained_at_once_are_those_trained_one_by_one(tmp_path):
    """Two steps each: up to the rounding of float32, which two steps hardly amplify, and that of the codes."""
    one_by_one, jobs = built(tmp_path / "one", None)
    at_once, stacked_jobs = built(tmp_path / "many", "cpu")
    assert sorted(jobs) == sorted(stacked_jobs)  # progress is told for each member
    order = [
        one_by_one.members.row(architecture, seed)
        for architecture, seed in zip(at_once.members.architectures, at_once.members.seeds, strict=True)
    ]
    np.testing.assert_allclose(at_once.test_scores.nll, one_by_one.test_scores.nll[order], rtol=1e-4)
    different = at_once.val.units != one_by_one.val.units[order]
    assert different.mean() < 0.01
    assert at_once.manifest.plan.device == "cpu"


def test_an_unknown_device_is_refused_before_a_member_is_trained(tmp_path):
    with pytest.raises(NessBenchError, match='"gpu" cannot be used'):
        built(tmp_path / "bank", "gpu")
