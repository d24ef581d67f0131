import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ness_bench.data.named import load_named
from ness_bench.training.attacks.victim import Victim, to_pixels
from ness_bench.training.tensors import one_thread


@pytest.fixture(autouse=True, scope="session")
def alone():
    with one_thread():
        yield


@pytest.fixture(scope="session")
def data():
    return load_named("fashion")


@pytest.fixture(scope="session")
def victim(data):
    """Two small convolutional networks, trained on Fashion-MNIST at 8×8 pixels."""
    images, labels = to_pixels(data.train.first(3_000))
    members = [trained(data, images, labels, seed) for seed in (0, 1)]
    return Victim.of(members, data, [0.7, 0.3])


@pytest.fixture(scope="session")
def test_images(data):
    """(images, labels) of 100 test images."""
    return to_pixels(data.test.first(100))


def trained(data, images, labels, seed):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    normalised = torch.from_numpy(data.normalise(data.train.pixels[: len(labels)])).permute(0, 3, 1, 2)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        for rows in rng.permutation(len(labels)).reshape(-1, 60):
            optimizer.zero_grad()
            F.cross_entropy(network(normalised[rows]), labels[rows]).backward()
            optimizer.step()
    return network.eval()
