"""Studies of samplers: every number of a record against another way to it."""

import numpy as np
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.sampling import inference, monte_carlo
from ness_bench.sampling.posterior import Posterior
from ness_bench.spaces.nas_bench_201 import canonical
from ness_bench.studies.run import execute
from ness_bench.studies.samplers import MONTE_CARLO, SVGD_RD, SamplerPlan
from ness_bench.tables.embedded import embedded


def plan(**changes):
    content = {
        "name": "small",
        "table": "embedded",
        "dataset": "cifar10",
        "epochs": 200,
        "temperatures": [100],
        "sizes": [4],
        "deltas": [0, 10],
        "sigmas": [1],
        "ensembles": 30,
        "repetitions": 1,
    }
    return SamplerPlan.model_validate(content | changes)


def test_both_samplers_at_every_setting():
    runs = plan(temperatures=[30, 100], sizes=[3, 5], sigmas=[1, 2], repetitions=2).runs()
    assert len(runs) == 2 * 2 * 2 * (1 + 2 * 2)
    assert sum(run.sampler == MONTE_CARLO for run in runs) == 8


def test_a_record_measures_what_it_says():
    run = next(run for run in plan().runs() if run.sampler == MONTE_CARLO)
    result = execute(run)["result"]
    table = embedded()
    accuracy = table.accuracy("cifar10", "val", 200, missing="available-mean").astype(np.float64) / 100
    log_p = 25_000 * np.log(accuracy) / 100
    log_p -= np.log(np.exp(log_p - log_p.max()).sum()) + log_p.max()
    support = np.array(table.architectures, np.int8)
    q = inference.coordinate_ascent(25_000 * np.log(accuracy), support, 100)
    log_q, p = q.log_probabilities, np.exp(log_p)
    assert result["kl"] == pytest.approx(q.probabilities @ (log_q - log_p), abs=1e-9)
    assert result["total_variation"] == pytest.approx(np.abs(q.probabilities - p).sum() / 2)
    drawn = monte_carlo.draw(q, 4, np.random.default_rng(0), 30)
    assert result["mean_accuracy"] == pytest.approx(accuracy[drawn].mean())
    assert result["best_accuracy"] == pytest.approx(np.mean([accuracy[members].max() for members in drawn]))
    classes = [len({canonical(table.architectures[member]) for member in members}) for members in drawn]
    assert result["distinct"] == pytest.approx(np.mean(classes))


def test_diversity_is_bought_with_delta():
    by_delta = {run.delta: execute(run)["result"] for run in plan().runs() if run.sampler == SVGD_RD}
    assert by_delta[10]["hamming"] > by_delta[0]["hamming"]
    assert by_delta[10]["mean_accuracy"] < by_delta[0]["mean_accuracy"]


def test_the_posterior_is_worst_where_edges_interact_most():
    """Cold, one architecture is certain; hot, all are equal: both factorise."""
    kl = {
        temperature: execute(plan(temperatures=[temperature]).runs()[0])["result"]["kl"]
        for temperature in (0.1, 100, 1e7)
    }
    assert kl[100] > 0.1
    assert kl[0.1] < 1e-6
    assert kl[1e7] < 1e-6
    assert Posterior.uniform(np.array(embedded().architectures, np.int8)).entropy == pytest.approx(np.log(15_625))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "svhn"}, 'unknown data set "svhn"'),
        ({"epochs": 12}, "no cifar10 val accuracy after 12 epochs"),
        ({"sizes": [3, 3]}, "the same run twice"),
        ({"table": "nowhere"}, 'unknown table "nowhere"'),
    ],
)
def test_bad_plans_are_refused(changes, message):
    with pytest.raises(NessBenchError, match=message):
        plan(**changes).runs()
