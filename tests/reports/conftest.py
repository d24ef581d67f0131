"""A made-up study whose numbers have the size, the order and the scatter of a real one."""

import itertools

import numpy as np
import pandas as pd
import pytest

# NLL and disagreement at 3 members and 20 TE; TE for supernet and evaluation; whether all of the budget is spent.
METHODS = {
    "random-ensemble": (0.452, 0.128, 0, 0.0, False),
    "random-search": (0.462, 0.000, 0, 0.0, True),
    "nes-rs": (0.421, 0.112, 0, 0.0, True),
    "nes-re": (0.417, 0.106, 0, 0.0, True),
    "deep-ensemble": (0.424, 0.084, 0, 0.0, True),
    "darts": (0.482, 0.000, 9, 0.0, False),
    "darts-ensemble": (0.471, 0.091, 9, 0.0, False),
    "ness-mc": (0.428, 0.103, 6, 1.2, True),
    "ness-svgd-rd": (0.419, 0.118, 6, 2.4, True),
}


def make_records(methods=METHODS, sizes=(3, 5), budgets=(20.0, 40.0, 80.0), repetitions=10):
    rng = np.random.default_rng(0)
    rows = []
    for seed, size, budget, method in itertools.product(range(repetitions), sizes, budgets, methods):
        nll, disagreement, supernet, evaluation, uses_all = methods[method]
        doublings = np.log2(budget / budgets[0])
        single = disagreement == 0
        nll = nll - 0.011 * doublings**0.7 - (0 if single else 0.012 * (size > 3)) + rng.normal(0, 0.007)
        accuracy = 1 - nll / 2.75 + rng.normal(0, 0.0015)
        costs = {"cost_supernet": supernet, "cost_evaluation": evaluation * rng.uniform(0.9, 1.1)}
        left = budget - sum(costs.values()) - rng.uniform(0, 1)
        costs["cost_training"] = left if uses_all else rng.uniform(0.7, 1.3) * (1 if single else size)
        rows.append(
            {
                "method": method,
                "size": size,
                "budget": budget,
                "seed": seed,
                "accuracy": accuracy,
                "nll": nll,
                "regret": nll - 0.35,
                "ece": 0.014 + rng.gamma(4, 0.001),
                "brier": 0.55 * nll + rng.normal(0, 0.002),
                "disagreement": 0.0 if single else disagreement + rng.normal(0, 0.006),
                "member_accuracy": accuracy - (0 if single else 0.016),
                "member_nll": nll + (0 if single else 0.05),
                "oracle_accuracy": accuracy + (0 if single else 0.06),
                **costs,
                "cost": sum(costs.values()),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def records():
    return make_records()


@pytest.fixture(scope="session")
def context():
    return {
        "study": "quick_study",
        "bank": "fashion",
        "data": "Fashion-MNIST, 1,000 validation and 10,000 test images",
        "repetitions": 10,
        "best": "0.3500 for 3 members (proved)",
        "cost_model": "FLOPs",
    }
