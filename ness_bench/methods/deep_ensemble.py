"""A deep ensemble (Lakshminarayanan et al., NeurIPS 2017) of the best of K random architectures.

One architecture is found by random search; the ensemble is n independent trainings of it. This is
DeepEns(RS) of Zaidi et al. (NeurIPS 2021). K is what the budget pays for, n − 1 further trainings of the
best kept back.
"""

from dataclasses import dataclass

import numpy as np

from ness_bench.ensembles.selection import top_n
from ness_bench.methods.method import register
from ness_bench.methods.random_pool import random_architectures
from ness_bench.tasks.budget import BudgetExhausted
from ness_bench.tasks.task import Ensemble, Member, Task, true_class


@register("deep-ensemble")
@dataclass(frozen=True)
class DeepEnsemble:
    """n seeds of the best of K random networks.

    Where not every network can be trained with n seeds, as on a bank, it draws from a random part where it can.
    """

    def search(self, task: Task, rng: np.random.Generator) -> Ensemble:
        best: Member | None = None
        further = task.ensemble_size - 1
        for architecture in random_architectures(task.repeatable(task.ensemble_size), rng):
            price = task.training_cost(architecture)
            dearest = max(price, task.training_cost(best.architecture)) if best is not None else price
            if not task.budget.affords(price + further * dearest):
                break
            member = task.train(architecture)
            pool = [member] if best is None else [best, member]
            best = pool[top_n(true_class(pool, task.val_labels), 1)[0]]
        if best is None:
            raise BudgetExhausted(
                f"a budget of {task.budget.total:g} TE found no network that it could train with "
                f"{task.ensemble_size} seeds; give a larger budget, or ask for fewer members"
            )
        return Ensemble.uniform([best] + [task.train(best.architecture) for _ in range(further)])
