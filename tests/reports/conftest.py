"""Made-up studies whose numbers have the size, the order and the scatter of real ones, and a made-up table."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ness_bench.ensembles.metrics import BINS
from ness_bench.reports.ensembles.captions import Target
from ness_bench.reports.trials import captions as trials
from ness_bench.spaces.nas_bench_201 import OPERATIONS, canonical, to_string
from ness_bench.studies.metrics import STANDARD, metric_named
from ness_bench.studies.published import PUBLISHED
from ness_bench.studies.trials import MOMENTS, Score
from ness_bench.tables.folder import write_table
from ness_bench.tables.table import Run

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


def reliability(ece, rng):
    """Bins of 2,000 examples, surer than they are right in all bins, that have this calibration error."""
    crowds = np.r_[0, 0, np.geomspace(0.01, 1, BINS - 2)]
    examples = rng.multinomial(2000, crowds / crowds.sum())
    confidence = examples * (np.arange(BINS) + rng.uniform(0.4, 0.6, BINS)) / BINS
    right = confidence - ece * examples
    return {"examples": examples.tolist(), "confidence": confidence.tolist(), "right": right.tolist()}


def make_records(methods=METHODS, sizes=(3, 5), budgets=(20.0, 40.0, 80.0), repetitions=10):
    rng, of_members = np.random.default_rng(0), np.random.default_rng(1)
    tastes = {method: of_members.dirichlet(np.ones(len(OPERATIONS))) for method in methods}
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
        ece = 0.014 + rng.gamma(4, 0.001)
        drawn = of_members.choice(len(OPERATIONS), (1 if single else size, 6), p=tastes[method])
        rows.append(
            {
                "method": method,
                "size": size,
                "budget": budget,
                "seed": seed,
                "accuracy": accuracy,
                "nll": nll,
                "regret": nll - 0.35,
                "ece": ece,
                "brier": 0.55 * nll + rng.normal(0, 0.002),
                "disagreement": 0.0 if single else disagreement + rng.normal(0, 0.006),
                "distinct": 1 if single else size,
                "member_accuracy": accuracy - (0 if single else 0.016),
                "member_nll": nll + (0 if single else 0.05),
                "oracle_accuracy": accuracy + (0 if single else 0.06),
                **costs,
                "cost": sum(costs.values()),
                "real_seconds": of_members.gamma(4, 0.01 * budget),
                "architectures": [to_string(canonical(tuple(one))) for one in drawn.tolist()],
                "reliability": reliability(ece, of_members),
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
        "targets": {size: Target(0.35, 0.883, 0.13) for size in (3, 5, 10)},
        "cost_model": "FLOPs",
        "metrics": tuple(map(metric_named, STANDARD)),
        "judged_by": metric_named("nll"),
        "reference": "nes-rs",
    }


@pytest.fixture(scope="session")
def refuse_illegible():
    """Fails on a figure of which something is clipped, or whose tick labels overlap."""

    def refuse(figure):
        figure.draw_without_rendering()
        inked = figure.get_tightbbox()
        assert min(inked.min) >= 0
        assert np.all(inked.max <= figure.get_size_inches())
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                shown = [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
                boxes = [label.get_window_extent() for label in shown if label.get_visible() and label.get_text()]
                assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))

    return refuse


@pytest.fixture(scope="session")
def make_table(tmp_path_factory):
    """Writes a table of numbers that are plausible in size, and returns its folder's name."""

    def make(lengths=12, signal=True, test=True, size=15_625):
        rng = np.random.default_rng(0)
        quality = rng.beta(8, 2, size)

        def run(*splits, epochs=1, share=1.0):
            final = share * 94 * quality[:, None] ** 0.1
            curves = final[:, :, None] * np.linspace(0.5, 1, epochs + 1)[1:]
            noisy = (curves + rng.uniform(-0.3, 0.3, curves.shape)).astype(np.float32)
            seconds = 600 + 2000 * rng.random((size, 1))
            return Run((), dict.fromkeys(splits, noisy), seconds * (0.06 if share < 1 else 1), {})

        runs = {("cifar10-valid", 200): run("val"), ("cifar100", 200): run("val", "test")}
        if signal:
            runs["cifar10-valid", 12] = run("val", epochs=lengths, share=0.9)
        if test:
            runs["cifar10", 200] = run("test")
        folder = tmp_path_factory.mktemp("tables") / "made-up"
        write_table(folder, "made up for tests", np.arange(size), runs, {})
        return str(folder)

    return make


@pytest.fixture(scope="session")
def trial_records():
    """Three methods of which one has no published number; one repetition of reinforce begins late."""
    rng = np.random.default_rng(1)
    rows = []
    for seed, (method, mean) in itertools.product(
        range(12), {"random-search": 0.9371, "reinforce": 0.9375, "evolution_30 & 50 %": 0.9391}.items()
    ):
        final = mean + rng.normal(0, 0.003)
        progress = list(final - 0.04 * np.exp(-np.arange(MOMENTS) / 6))
        if method == "reinforce" and seed == 5:
            progress[:3] = [None] * 3
        scores = {"cifar10": final, "cifar100": final - 0.22, "imagenet16-120": final - 0.48}
        spent = {"trials": int(rng.integers(95, 110)), "seconds": 12_000 + 80 * rng.random()}
        rows.append({"method": method, "registered": method, "seed": seed, **scores, **spent, "progress": progress})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def trial_context():
    return trials.Context(
        searched="cifar10",
        seconds=12_000,
        scored={
            "cifar10": Score("test", np.array([90.0, 94.37, 10.0])),
            "cifar100": Score("val", np.array([73.51, 1.0, 60.0])),
            "imagenet16-120": Score("test", np.array([40.0, 47.31, 1.0])),
        },
        published={name: PUBLISHED["nas-bench-201", "cifar10", name] for name in ("random-search", "reinforce")},
        how="How it came about, at 95 % & more.",
        note="Of it, the end.",
    )
