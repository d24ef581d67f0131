from dataclasses import replace

import numpy as np
import pytest
import torch

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.stacked import StackedNetwork
from ness_bench.spaces.nas_bench_201 import RESNET
from ness_bench.training.fit import TrainingDivergedError, fit
from ness_bench.training.recipe import Recipe
from ness_bench.training.stacked import fit_many

DEAD = (0, 0, 0, 0, 0, 0)
SKELETON = Skeleton(cells=1, classes=3)
RECIPE = Recipe(epochs=2, batch_size=32)
MEMBERS = [(RESNET, 0), (DEAD, 3), ((1, 1, 1, 1, 1, 1), 1), (RESNET, 1), ((4, 2, 3, 0, 4, 2), 0)]


def split(examples, rng):
    pixels = rng.integers(0, 256, (examples, 8, 8, 1), np.uint8)
    return LabelledImages(pixels, rng.choice(3, examples, p=(0.6, 0.3, 0.1)))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return DataSet("noise", ("a", "b", "c"), *(split(examples, rng) for examples in (200, 50, 41)))


def test_members_are_trained_as_they_are_alone(data):
    together = fit_many(MEMBERS, data, SKELETON, RECIPE, "cpu")
    for (architecture, seed), fitted in zip(MEMBERS, together, strict=True):
        alone = fit(architecture, data, SKELETON, RECIPE, seed, engine="torch")
        np.testing.assert_allclose(fitted.val, alone.val, atol=1e-4)
        np.testing.assert_allclose(fitted.test, alone.test, atol=1e-4)
        np.testing.assert_array_equal(fitted.curve, alone.curve)
        for name in ("val", "test", "curve"):
            assert getattr(fitted, name).dtype == np.float32
        assert fitted.cpu_seconds > 0
    assert not np.allclose(together[0].val, together[3].val, atol=1e-2), "seeds differ"


def test_a_member_does_not_depend_on_the_others(data):
    few = fit_many(MEMBERS[2:4], data, SKELETON, RECIPE, "cpu")
    again = fit_many(MEMBERS[2:4], data, SKELETON, RECIPE, "cpu")
    for one, same, among_all in zip(few, again, fit_many(MEMBERS, data, SKELETON, RECIPE, "cpu")[2:4], strict=True):
        assert one.test.tobytes() == same.test.tobytes()
        np.testing.assert_allclose(one.test, among_all.test, atol=1e-4)


def test_divergence_is_an_error_that_names_the_member(data):
    recipe = Recipe(epochs=1, batch_size=200, learning_rate=1e30)  # one step, which a dead cell survives
    fit_many([(DEAD, 4)], data, SKELETON, recipe, "cpu")
    with pytest.raises(TrainingDivergedError, match=r"nor_conv_3x3~0.* seed 5 .*epoch 1 of 1"):
        fit_many([(DEAD, 4), (RESNET, 5)], data, SKELETON, recipe, "cpu")


@pytest.mark.parametrize(
    ("skeleton", "recipe", "device", "message"),
    [
        (replace(SKELETON, image_size=16), RECIPE, "cpu", r"noise.*\(8, 8, 1\).*\(16, 16, 1\)"),
        (SKELETON, replace(RECIPE, batch_size=256), "cpu", "200 training images .* 256"),
        (SKELETON, RECIPE, "gpu", '"gpu" cannot be used.* choose "cuda"'),
        (SKELETON, RECIPE, "cuda:99", '"cuda:99" cannot be used'),
    ],
)
def test_what_cannot_be_done_is_refused(data, skeleton, recipe, device, message):
    with pytest.raises(NessBenchError, match=message):
        fit_many(MEMBERS, data, skeleton, recipe, device)


def test_a_stack_too_large_for_the_device_is_told(data, monkeypatch):
    def full(self, images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(StackedNetwork, "forward", full)
    with pytest.raises(NessBenchError, match="5 members at once do not fit into the memory of cpu; train fewer"):
        fit_many(MEMBERS, data, SKELETON, RECIPE, "cpu")
