import numpy as np

from ness_bench.ensembles.metrics import nll
from ness_bench.methods.method import create
from ness_bench.tasks.bank import BankTask
from ness_bench.testing import MethodContract, small_bank


class TestTopM(MethodContract):
    method = "top-m"


def test_with_a_budget_for_everything_it_finds_the_best_there_are():
    task = BankTask.of(small_bank(), ensemble_size=3, budget=1000)
    found = create("top-m").search(task, np.random.default_rng(0))
    losses = sorted(nll(task.train(architecture, seed=0).val, task.val_labels) for architecture in task.space.classes)
    np.testing.assert_allclose([nll(member.val, task.val_labels) for member in found.members], losses[:3], rtol=1e-6)
