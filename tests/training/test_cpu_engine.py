"""The CPU engine against float64 PyTorch."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ness_bench.errors import NessBenchError
from ness_bench.networks.nas_bench_201 import Network
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import RESNET
from ness_bench.training.cpu.engine import CPUEngine
from ness_bench.training.fit import learning_rates
from ness_bench.training.parameters import initial
from ness_bench.training.recipe import Recipe

DEAD = (0, 0, 0, 0, 0, 0)
CASES = [
    (RESNET, Skeleton(channels=4, cells=1)),
    (DEAD, Skeleton(channels=4, cells=1)),
    ((2, 3, 4, 1, 3, 2), Skeleton(channels=4, cells=2, input_channels=3)),
    ((4, 0, 3, 4, 1, 2), Skeleton(channels=8, cells=1, image_size=7)),
    ((3, 1, 1, 2, 4, 4), Skeleton(channels=12, cells=1, input_channels=2, classes=3, image_size=6)),
    ((4, 4, 4, 1, 1, 1), Skeleton(channels=4, cells=2, image_size=5)),
    ((1, 2, 2, 3, 3, 0), Skeleton(channels=4, cells=1, input_channels=3, image_size=9)),
]


def noise(skeleton, examples, rng):
    """Random images, on which no ReLU sees an exact zero, and random labels."""
    shape = (examples, skeleton.image_size, skeleton.image_size, skeleton.input_channels)
    return rng.standard_normal(shape).astype(np.float32), rng.integers(0, skeleton.classes, examples)


def perturbed(architecture, skeleton, rng):
    """Initial parameters with batch normalisation away from weight 1 and bias 0."""
    start = initial(architecture, skeleton, rng)
    return {
        name: (value + 0.3 * rng.standard_normal(value.shape)).astype(np.float32) if value.ndim == 1 else value
        for name, value in start.items()
    }


def reference_network(architecture, skeleton, parameters):
    network = Network(architecture, skeleton).double()
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == {
        name: value.shape for name, value in parameters.items()
    }
    network.load_state_dict({name: torch.from_numpy(v) for name, v in parameters.items()}, strict=False)
    return network


def tensor(images):
    return torch.from_numpy(images).double().permute(0, 3, 1, 2)


@pytest.mark.parametrize(("architecture", "skeleton"), CASES)
def test_gradients_are_those_of_pytorch_in_float64(architecture, skeleton):
    rng = np.random.default_rng(1)
    parameters = perturbed(architecture, skeleton, rng)
    images, labels = noise(skeleton, 32, rng)
    loss, gradients = CPUEngine(architecture, skeleton, Recipe(batch_size=32), parameters).loss_and_gradients(
        images, labels
    )

    network = reference_network(architecture, skeleton, parameters)
    expected = F.cross_entropy(network(tensor(images)), torch.from_numpy(labels))
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    reached = {name: p.grad.numpy() for name, p in network.named_parameters() if p.grad is not None}
    largest = max(np.abs(gradient).max() for gradient in reached.values())
    for name, gradient in gradients.items():
        # Parameters before a dead cell have no gradient in PyTorch.
        np.testing.assert_allclose(gradient, reached.get(name, 0), atol=1e-5 * largest, err_msg=name)


@pytest.mark.parametrize(("architecture", "skeleton"), CASES[:4])
def test_a_training_is_that_of_pytorch_in_float64(architecture, skeleton):
    rng = np.random.default_rng(2)
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.1)
    parameters = initial(architecture, skeleton, rng)
    images, labels = noise(skeleton, 90, rng)
    unseen, _ = noise(skeleton, 70, rng)
    batches = [rng.permutation(90)[:80].reshape(5, 16) for _ in range(recipe.epochs)]

    engine = CPUEngine(architecture, skeleton, recipe, parameters)
    for batch, rates in zip(batches, learning_rates(recipe, 5), strict=True):
        engine.train(images, labels, batch, rates)

    network = reference_network(architecture, skeleton, parameters)
    sgd = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, recipe.epochs * 5)
    for pick in np.concatenate(batches):
        sgd.zero_grad()
        F.cross_entropy(network(tensor(images[pick])), torch.from_numpy(labels[pick])).backward()
        sgd.step()
        schedule.step()
    expected = network.eval()(tensor(unseen)).softmax(1).detach().numpy()
    np.testing.assert_allclose(engine.predict(unseen), expected, atol=1e-5)


def test_a_prediction_does_not_depend_on_the_other_images_nor_on_their_number():
    rng = np.random.default_rng(3)
    skeleton = Skeleton(cells=1)
    engine = CPUEngine(RESNET, skeleton, Recipe(batch_size=32), perturbed(RESNET, skeleton, rng))
    images, _ = noise(skeleton, 70, rng)
    np.testing.assert_array_equal(engine.predict(images)[33:50], engine.predict(images[33:50]))


@pytest.mark.parametrize(
    ("skeleton", "recipe", "message"),
    [
        (Skeleton(), Recipe(batch_size=100), "batch size 100 .* multiple of 16"),
        (Skeleton(channels=6), Recipe(), "6 channels .* multiple of 4"),
    ],
)
def test_sizes_it_cannot_do_are_refused(skeleton, recipe, message):
    parameters = initial(RESNET, skeleton, np.random.default_rng(0))
    with pytest.raises(NessBenchError, match=message):
        CPUEngine(RESNET, skeleton, recipe, parameters)
