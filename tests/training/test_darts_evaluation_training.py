from dataclasses import replace

import numpy as np
import pytest
import torch

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.spaces.darts import DARTS_V2
from ness_bench.training.darts_evaluation import EvaluationRecipe, augment, cut_out, shift, train
from ness_bench.training.fit import TrainingDivergedError

PUBLISHED = EvaluationRecipe()
TINY = EvaluationRecipe(epochs=2, batch_size=16, channels=2, layers=3, drop_path=0.4, cutout=8)


def brightness(examples, rng, size=32):
    """Images whose brightness tells the class."""
    labels = rng.integers(0, 3, examples)
    noise = rng.integers(0, 60, (examples, size, size, 3))
    return LabelledImages((80 * labels[:, None, None, None] + noise).astype(np.uint8), labels)


def data_set(train=33, size=32):
    rng = np.random.default_rng(0)
    return DataSet("brightness", ("a", "b", "c"), *(brightness(examples, rng, size) for examples in (train, 20, 9)))


@pytest.fixture(scope="module")
def data():
    return data_set()


@pytest.fixture
def images():
    return torch.rand(6, 2, 7, 9, generator=torch.Generator().manual_seed(0)) + 1


def test_schedules_are_the_published_ones():
    assert f"{PUBLISHED.learning_rate_in(410):.6e}" == "5.692012e-03"  # a log of the authors' code, quark0/darts #80
    assert PUBLISHED.learning_rate_in(0) == 0.025
    assert PUBLISHED.learning_rate_in(600) == pytest.approx(0, abs=1e-12)
    assert [PUBLISHED.drop_path_in(epoch) for epoch in (0, 300)] == [0, 0.1]


def test_shift_is_padding_cropping_and_mirroring(images):
    offsets = torch.tensor([[0, 0], [4, -4], [-3, 2], [1, 1], [-4, -4], [0, 3]])
    mirrored = torch.tensor([False, True, True, False, True, False])
    fill = torch.tensor([-1.0, -2.0])
    shifted = shift(images, offsets, mirrored, fill)
    for image, (down, right), mirror, result in zip(images, offsets, mirrored, shifted, strict=True):
        padded = fill[:, None, None].repeat(1, 7 + 8, 9 + 8)
        padded[:, 4:-4, 4:-4] = image
        crop = padded[:, 4 + down : 11 + down, 4 + right : 13 + right]
        assert torch.equal(result, crop.flip(2) if mirror else crop)


@pytest.mark.parametrize("side", [0, 4, 5, 16])
def test_cutout_is_a_loop_over_pixels(images, side):
    centres = torch.tensor([[0, 0], [6, 8], [3, 4], [1, 7], [5, 2], [2, 0]])
    result = cut_out(images, centres, side)
    for (y, x), before, after in zip(centres.tolist(), images, result, strict=True):
        expected = before.clone()
        for row in range(max(y - side // 2, 0), min(y + side // 2, 7)):
            for column in range(max(x - side // 2, 0), min(x + side // 2, 9)):
                expected[:, row, column] = 0
        assert torch.equal(after, expected)


def test_augmentation_takes_every_offset_and_half_of_the_mirrors():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.arange(1.0, 82).view(1, 1, 9, 9).expand(4_000, 1, 9, 9)  # each tells where it is from
    recipe = replace(PUBLISHED, crop_padding=2, cutout=0)
    centres = augment(pixels, torch.zeros(1), recipe, generator)[:, 0, 4, 3:6]
    mirrored = centres[:, 2] < centres[:, 0]
    sources, counts = centres[:, 1].unique(return_counts=True)
    assert sources.tolist() == [9 * row + column + 1 for row in range(2, 7) for column in range(2, 7)]
    assert (counts - 160).abs().max() < 5 * 160**0.5
    assert abs(int(mirrored.sum()) - 2_000) < 5 * 1_000**0.5
    cut = augment(torch.ones(4_000, 1, 9, 9), torch.ones(1), replace(recipe, cutout=2), generator) == 0
    covered = cut.sum((0, 1)) / (4_000 / 81)
    assert covered[0, 0] == pytest.approx(4, abs=1)  # pixel (0, 0) is cut for centres (0, 0), (0, 1), (1, 0), (1, 1)
    assert covered[8, 8] == pytest.approx(1, abs=0.7)


def test_a_seed_decides_every_bit(data):
    told = []
    first, again, other = (
        train(DARTS_V2, data, TINY, seed, done=lambda *epoch: told.append(epoch)) for seed in (1, 1, 2)
    )
    assert first.val.tobytes() == again.val.tobytes()
    assert first.test.tobytes() == again.test.tobytes()
    assert first.val.tobytes() != other.val.tobytes()
    assert told[:2] == told[2:4] != told[4:]
    assert [epoch for epoch, _ in told] == [1, 2] * 3


def test_result_is_well_formed(data):
    fitted = train(DARTS_V2, data, TINY, 0)
    assert fitted.val.shape == (20, 3)
    assert fitted.test.shape == (9, 3)
    assert fitted.val.dtype == fitted.test.dtype == fitted.curve.dtype == np.float32
    np.testing.assert_allclose(fitted.test.sum(1), 1, rtol=1e-5)
    assert len(fitted.curve) == TINY.epochs
    assert fitted.curve[-1] == pytest.approx((fitted.val.argmax(1) == data.val.labels).mean())
    assert fitted.cpu_seconds > 0


def test_it_learns():
    losses = []
    recipe = replace(TINY, epochs=5, batch_size=8, auxiliary_weight=0, learning_rate=0.05, cutout=4)
    fitted = train(DARTS_V2, data_set(96, size=8), recipe, 0, done=lambda epoch, loss: losses.append(loss))
    assert losses[-1] < losses[0] / 2
    assert fitted.curve[-1] > 0.9


def test_every_constant_has_an_effect():
    data = data_set(17)  # a step an epoch: the image that is left over is left out
    results = {train(DARTS_V2, data, TINY, 0).val.tobytes()}
    changes = (
        {"momentum": 0.8},
        {"weight_decay": 0.1},
        {"gradient_clip": 0.1},
        {"auxiliary_weight": 0.2},
        {"crop_padding": 2},
        {"cutout": 4},
        {"drop_path": 0.1},
    )
    for change in changes:
        results.add(train(DARTS_V2, data, replace(TINY, **change), 0).val.tobytes())
    assert len(results) == 1 + len(changes)


def test_the_auxiliary_loss_is_added_by_its_weight():
    data, losses = data_set(16), []
    for weight in (0, 0.4, 0.8):
        still = replace(TINY, epochs=1, learning_rate=0, auxiliary_weight=weight)
        train(DARTS_V2, data, still, 0, done=lambda epoch, loss: losses.append(loss))
    without, once, twice = losses
    assert twice - without == pytest.approx(2 * (once - without), rel=1e-4)
    assert once - without == pytest.approx(0.4 * np.log(3), abs=0.2)


def test_divergence_is_an_error_that_names_the_training(data):
    with pytest.raises(TrainingDivergedError, match=r"dil_conv_3x3.* seed 5 .*epoch 1 of 2: .*step [23] is not finite"):
        train(DARTS_V2, data, replace(TINY, learning_rate=1e30), 5)


@pytest.mark.parametrize(
    ("given", "recipe", "message"),
    [
        (data_set(size=16), TINY, "16 pixels.*auxiliary head takes 32"),
        (data_set(size=6), TINY, "6 pixels.*multiple of 4"),
        (data_set(train=1), TINY, r"1 training image\(s\)"),
    ],
)
def test_what_does_not_fit_together_is_refused(given, recipe, message):
    with pytest.raises(NessBenchError, match=message):
        train(DARTS_V2, given, recipe, 0)


@pytest.mark.parametrize("given", [{"epochs": 0}, {"batch_size": 1}, {"drop_path": 1.5}])
def test_an_impossible_recipe_is_refused(given):
    with pytest.raises(NessBenchError, match=f"{next(iter(given))} {next(iter(given.values()))}"):
        EvaluationRecipe(**given)
