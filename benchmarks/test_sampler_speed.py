"""Drawing ensembles, side by side with the ways one would write first; `OMP_NUM_THREADS=1` gives each one thread."""

import numpy as np
import pytest
import torch

from ness_bench.sampling import k_dpp
from ness_bench.sampling.posterior import Posterior
from ness_bench.sampling.svgd_predictions import SVGDPredictions
from ness_bench.sampling.svgd_rd import SVGDRD
from ness_bench.spaces.nas_bench_201 import architectures

N = 10
"""Particles, or members, of an ensemble."""

DRAWS = 10
POOL, EXAMPLES, CLASSES = 500, 200, 10


@pytest.fixture(scope="module")
def posterior():
    return Posterior(np.random.default_rng(0).normal(size=(6, 5)), np.array(architectures(), np.int8))


@pytest.fixture(scope="module")
def pool(posterior):
    """Some architectures, and predictions of theirs that depend on their edges: [POOL, EXAMPLES, CLASSES]."""
    rng = np.random.default_rng(1)
    support = posterior.support[rng.permutation(len(posterior.support))[:POOL]]
    logits = np.tensordot(np.eye(5)[support], rng.normal(size=(6, 5, EXAMPLES, CLASSES)), 2)
    logits += rng.normal(size=logits.shape)
    shares = np.exp(logits)
    return Posterior(posterior.logits, support), shares / shares.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(2).integers(0, CLASSES, EXAMPLES)


class Autograd:
    """One step's φ as the functional has it, its derivatives by autograd; `features` are what the kernel compares."""

    def __init__(self, sampler, posterior, features=None):
        self.sampler = sampler
        self.log_q = torch.tensor(posterior.log_probabilities)
        self.centres = torch.tensor(posterior.one_hots)
        self.features = None if features is None else torch.tensor(features)

    def __call__(self, particles):
        return np.stack([self.of_ensemble(torch.tensor(x, requires_grad=True)) for x in particles])

    def of_ensemble(self, x):
        n = len(x)
        log_joint = self.log_q - torch.cdist(x, self.centres) ** 2 / (2 * self.sampler.sigma**2)
        compared = x if self.features is None else log_joint.softmax(-1) @ self.features
        squared = ((compared[:, None] - compared.detach()) ** 2).sum(-1)
        median = np.median(squared.detach().numpy()[np.triu_indices(n, 1)])
        kernel = torch.exp(-squared * np.log(n) / median)
        (score,) = torch.autograd.grad(log_joint.logsumexp(-1).sum(), x, retain_graph=True)
        slopes = [torch.autograd.grad(kernel[:, j].sum(), x, retain_graph=True)[0] for j in range(n)]
        slope, repulsion = sum(slopes), torch.stack([of_one.sum(0) for of_one in slopes])
        return ((kernel @ (score - 2 * self.sampler.delta * slope) + repulsion) / n).detach().numpy()


def measure_svgd(benchmark, way, run, steps, floor):
    """`run`, of a sampler with so many steps and of the way, once a round; both ways must agree on a few steps."""
    benchmark.extra_info = {"way": way, "items": steps, "floor": floor if way == "ours" else 1}
    benchmark(run, way, steps)
    np.testing.assert_allclose(run("ours", 3), run("torch, autograd", 3), atol=1e-7)


ways_of_svgd = pytest.mark.parametrize(("way", "steps"), [("torch, autograd", 10), ("ours", 1000)])


@pytest.mark.quick
@ways_of_svgd
def test_svgd_rd(benchmark, posterior, way, steps):
    def run(way, steps):
        sampler, rng = SVGDRD(steps=steps), np.random.default_rng(3)
        if way == "ours":
            return sampler.particles(posterior, N, rng, 1)
        return sampler.move(Autograd(sampler, posterior), posterior, N, rng, 1)

    benchmark.group = f"a step of SVGD-RD, {N} particles, the whole space"
    measure_svgd(benchmark, way, run, steps, floor=40)


@ways_of_svgd
def test_svgd_on_predictions(benchmark, pool, way, steps):
    posterior, predictions = pool
    features = predictions.reshape(POOL, -1)
    gram = features @ features.T

    def run(way, steps):
        sampler, rng = SVGDPredictions(steps=steps), np.random.default_rng(3)
        if way == "ours":
            return sampler.particles(posterior, gram, N, rng, 1)
        return sampler.move(Autograd(sampler, posterior, features), posterior, N, rng, 1)

    benchmark.group = f"a step of SVGD-RD on predictions, {N} particles, a pool of {POOL}"
    measure_svgd(benchmark, way, run, steps, floor=15)


def textbook_draws(quality, similarity, k, rng, size):
    """Kulesza & Taskar's algorithms 7 and 8: everything anew for each draw, a QR decomposition for each item."""
    drawn = []
    for _ in range(size):
        eigenvalues, V = np.linalg.eigh(np.sqrt(np.outer(quality, quality)) * similarity)
        eigenvalues = np.maximum(eigenvalues, 0)
        e = np.zeros((k + 1, len(quality) + 1))
        e[0] = 1
        for j in range(1, k + 1):
            for m in range(1, len(quality) + 1):
                e[j, m] = e[j, m - 1] + eigenvalues[m - 1] * e[j - 1, m - 1]
        columns, left = [], k
        for m in range(len(quality), 0, -1):
            if left and rng.random() < eigenvalues[m - 1] * e[left - 1, m - 1] / e[left, m]:
                columns.append(m - 1)
                left -= 1
        V, items = V[:, columns], []
        while V.shape[1]:
            shares = (V**2).sum(1)
            items.append(rng.choice(len(quality), p=shares / shares.sum()))
            row = V[items[-1]]
            pivot = np.abs(row).argmax()
            V = np.linalg.qr(np.delete(V - np.outer(V[:, pivot], row / row[pivot]), pivot, axis=1))[0]
        drawn.append(items)
    return np.array(drawn)


@pytest.mark.parametrize("k", [pytest.param(5, marks=pytest.mark.quick), 15])
@pytest.mark.parametrize(("way", "function"), [("textbook", textbook_draws), ("ours", k_dpp.draw)])
def test_k_dpp(benchmark, pool, labels, way, function, k):
    posterior, predictions = pool
    benchmark.group = f"{DRAWS} draws of {k} from a k-DPP on {POOL} items"
    benchmark.extra_info = {"way": way, "floor": 4 if way == "ours" else 1}
    similarity, rng = k_dpp.residual_cosine(predictions, labels), np.random.default_rng(4)
    drawn = benchmark(function, posterior.probabilities, similarity, k, rng, DRAWS)
    assert drawn.shape == (DRAWS, k)
    assert all(len(set(items)) == k for items in drawn.tolist())
