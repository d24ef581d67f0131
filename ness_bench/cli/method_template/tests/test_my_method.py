import numpy as np

from ness_bench.ensembles.metrics import nll
from ness_bench.methods.method import create
from ness_bench.tasks.bank import BankTask
from ness_bench.testing import MethodContract, small_bank


class TestMyMethod(MethodContract):
    """What every method owes. Its docstring says what else can be declared here, such as a larger budget."""

    method = "my-method"


def test_with_a_budget_for_everything_it_finds_the_best_there_are() -> None:
    """What this method promises beyond that: put your own in its place."""
    task = BankTask.of(small_bank(), ensemble_size=3, budget=1000)
    found = create("my-method").search(task, np.random.default_rng(0))
    losses = [nll(task.train(architecture, seed=0).val, task.val_labels) for architecture in task.space.classes]
    assert [nll(member.val, task.val_labels) for member in found.members] == sorted(losses)[:3]
