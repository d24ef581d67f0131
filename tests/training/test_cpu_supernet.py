"""Single paths of a supernet on the CPU engine, against PyTorch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import architectures
from ness_bench.training.cpu.supernet import CPUSupernet
from ness_bench.training.one_shot import inherited, kinds, uniform
from ness_bench.training.tensors import to_arrays, to_tensor

SKELETONS = [
    Skeleton(channels=4, cells=2),
    Skeleton(channels=8, cells=1, input_channels=3, classes=3, image_size=7),
]
DEAD = (1, 2, 3, 0, 0, 0)
PATHS = [
    (3, 3, 3, 3, 3, 3),
    (2, 2, 2, 2, 2, 2),
    DEAD,
    (1, 1, 1, 1, 1, 1),
    (4, 1, 2, 4, 3, 1),
    (1, 3, 4, 2, 0, 4),
    *architectures()[:10],
]
RECIPE = uniform.UniformRecipe(epochs=3, batch_size=32, learning_rate=0.05, final_learning_rate=0.01)


def noise(skeleton, examples):
    rng = np.random.default_rng(0)
    shape = (examples, skeleton.image_size, skeleton.image_size, skeleton.input_channels)
    return rng.standard_normal(shape).astype(np.float32), rng.integers(0, skeleton.classes, examples)


def make(skeleton):
    return Supernet(skeleton, torch.Generator().manual_seed(0))


def gradients(supernet, path, images, labels):
    """Loss and gradients by PyTorch; weights off the path have none."""
    supernet.zero_grad(set_to_none=True)
    loss = F.cross_entropy(supernet.forward_path(to_tensor(images).double(), path), torch.from_numpy(labels))
    loss.backward()
    return loss.item(), {n: p.grad.numpy() for n, p in supernet.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_gradients_are_those_of_pytorch_in_float64(skeleton):
    """One after another on the same memory: nothing that an earlier path left there may show."""
    supernet = make(skeleton)
    training = CPUSupernet(skeleton, to_arrays(supernet), RECIPE)
    images, labels = noise(skeleton, RECIPE.batch_size)
    reference = make(skeleton).double()
    for path in PATHS:
        loss, found = training.loss_and_gradients(path, images, labels)
        expected_loss, expected = gradients(reference, path, images, labels)
        assert loss == pytest.approx(expected_loss, abs=1e-6)
        largest = max(np.abs(gradient).max() for gradient in expected.values())
        for name, gradient in found.items():
            np.testing.assert_allclose(
                gradient, expected.get(name, 0), atol=1e-5 * largest, err_msg=f"{name} of {path}"
            )


@pytest.mark.parametrize("path", PATHS)
def test_a_step_leaves_alone_what_is_off_the_path(path):
    skeleton = SKELETONS[0]
    supernet = make(skeleton)
    training = CPUSupernet(skeleton, to_arrays(supernet), RECIPE)
    images, labels = noise(skeleton, RECIPE.batch_size)
    batch = np.arange(RECIPE.batch_size)

    def state():
        arrays = training.machine.parameters, training.machine.momentum
        return [{name: value.copy() for name, value in training.tape.unpack(flat).items()} for flat in arrays]

    for earlier in ((2, 2, 2, 2, 2, 2), (3, 3, 3, 3, 3, 3)):  # momentum everywhere
        training.step(earlier, images, labels, batch, 0.05)
    before = state()
    training.step(path, images, labels, batch, 0.05)
    on_path = set(gradients(supernet.double(), path, images, labels)[1])
    for old, new in zip(before, state(), strict=True):
        assert {name for name in old if not np.array_equal(old[name], new[name])} == on_path


def test_a_training_is_that_of_pytorch():
    """The same draws, schedule, clipping and steps; on noise, where no ReLU sees an exact zero."""
    rng = np.random.default_rng(0)
    split = LabelledImages(rng.integers(0, 256, (330, 8, 8, 1), np.uint8), rng.integers(0, 3, 330))
    data, skeleton = DataSet("noise", ("a", "b", "c"), split, split, split), Skeleton(cells=1, classes=3)
    recipe = replace(RECIPE, gradient_clip=1.0)
    told = {"cpu": [], "torch": []}

    def trained_by(engine):
        def done(epoch, loss):
            told[engine].append((epoch, loss))

        return kinds.train("uniform", data, skeleton, recipe, 3, engine=engine, done=done).model

    trained, eager = trained_by("cpu"), trained_by("torch")
    assert [epoch for epoch, _ in told["cpu"]] == [1, 2, 3]
    np.testing.assert_allclose(told["cpu"], told["torch"], rtol=1e-4)
    for name, weight in eager.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], weight, rtol=0, atol=1e-4, msg=name)
    free = kinds.train("uniform", data, skeleton, replace(recipe, gradient_clip=1e9), 3).model
    assert not torch.allclose(free.classifier.weight, eager.classifier.weight, atol=1e-3), "clipping had no effect"


@pytest.mark.parametrize("skeleton", SKELETONS)
@pytest.mark.parametrize("examples", [5, 100])
def test_predictions_are_those_of_pytorch(skeleton, examples):
    """The batch that the images fill up to has no part in the statistics."""
    supernet, (images, _) = make(skeleton), noise(skeleton, examples)
    eager = inherited.predictions(supernet, PATHS, images, engine="torch")
    for path, found, expected in zip(PATHS, inherited.predictions(supernet, PATHS, images), eager, strict=True):
        assert found.shape == (examples, skeleton.classes)
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=str(path))


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_predictions_by_the_statistics_of_other_images(skeleton):
    """Both engines agree; the images' own statistics give what they always give; others make images independent."""
    supernet, (images, _) = make(skeleton), noise(skeleton, 40)
    few, others = images[:7], 2 * images[10:] + 1
    for engine in ("cpu", "torch"):
        by_own = inherited.predictions(supernet, PATHS, images, engine=engine, calibration=images)
        plain = inherited.predictions(supernet, PATHS, images, engine=engine)
        by_others = inherited.predictions(supernet, PATHS, images, engine=engine, calibration=others)
        of_few = inherited.predictions(supernet, PATHS, few, engine=engine, calibration=others)
        eager = inherited.predictions(supernet, PATHS, images, engine="torch", calibration=others)
        for path, own, batch, other, alone, expected in zip(
            PATHS, by_own, plain, by_others, of_few, eager, strict=True
        ):
            np.testing.assert_allclose(own, batch, atol=1e-5, err_msg=str(path))
            np.testing.assert_allclose(other, expected, atol=1e-4, err_msg=str(path))
            np.testing.assert_allclose(other[:7], alone, atol=1e-5, err_msg=str(path))
            assert np.abs(other - batch).max() > 1e-3 or path == DEAD


def test_the_engine_is_chosen_where_none_is_named():
    images, _ = noise(Skeleton(channels=6), 16)
    supernet = make(Skeleton(channels=6))
    found = next(inherited.predictions(supernet, PATHS, images))
    np.testing.assert_array_equal(found, inherited.probabilities(supernet, PATHS[0], images))


def test_what_it_cannot_do_is_refused():
    images, _ = noise(SKELETONS[0], 16)
    with pytest.raises(NessBenchError, match=r"6 channels .* multiple of 4"):
        next(inherited.predictions(make(Skeleton(channels=6)), PATHS, images, engine="cpu"))
    with pytest.raises(NessBenchError, match=r"batch size 100 .* multiple of 16"):
        CPUSupernet(SKELETONS[0], to_arrays(make(SKELETONS[0])), replace(RECIPE, batch_size=100))
    with pytest.raises(NessBenchError, match='"gpu"; choose "cpu" or "torch"'):
        inherited.predictions(make(SKELETONS[0]), PATHS, images, engine="gpu")
