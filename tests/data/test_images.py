import numpy as np
import pytest

from ness_bench.data import fashion_mnist
from ness_bench.data.images import DataSet, LabelledImages, hold_out
from ness_bench.errors import NessBenchError


def numbered(examples):
    """Images that tell their number, with a label that follows from it."""
    numbers = np.arange(examples)
    pixels = numbers.astype("<u4").view(np.uint8).reshape(examples, 2, 2, 1)
    return LabelledImages(pixels, numbers % 7)


def numbers_of(images):
    numbers = np.frombuffer(images.pixels.tobytes(), "<u4")
    np.testing.assert_array_equal(images.labels, numbers % 7)  # no image has lost its label
    return numbers


def plainly_normalised(data, pixels):
    train = data.train.pixels.astype(np.float64)
    return ((pixels - train.mean((0, 1, 2))) / train.std((0, 1, 2))).astype(np.float32)


def colour_data():
    """More images than are looked at together, with channels of very different statistics."""
    rng = np.random.default_rng(0)
    highest = np.array([256, 30, 2])
    split = [
        LabelledImages(rng.integers(0, highest, (n, 5, 5, 3)).astype(np.uint8), np.zeros(n, int)) for n in (2_345, 7)
    ]
    return DataSet("colours", ("a",), split[0], split[1], split[1])


@pytest.mark.parametrize("make", [fashion_mnist.load, colour_data])
def test_normalising_equals_the_plain_formula_in_every_bit(make):
    data = make()
    for images in (data.train, data.val, data.test):
        normalised = data.normalise(images.pixels)
        assert normalised.dtype == np.float32
        np.testing.assert_array_equal(normalised, plainly_normalised(data, images.pixels))


def test_shuffling_keeps_every_image_with_its_label():
    images = numbered(500)
    once, again = numbers_of(images.shuffled()), numbers_of(images.shuffled())
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(np.sort(once), np.arange(500))
    assert 200 < once[:250].mean() < 300  # the first half stands for the whole


@pytest.mark.parametrize(("images", "val"), [(10, 1), (59, 5), (50_000, 5_000), (60_000, 5_000)])
def test_a_tenth_is_held_out_and_nothing_is_in_both(images, val):
    train, held_out = hold_out(numbered(images))
    assert len(held_out) == val
    together = np.concatenate([numbers_of(train), numbers_of(held_out)])
    np.testing.assert_array_equal(np.sort(together), np.arange(images))


def test_too_few_images_to_hold_some_out():
    with pytest.raises(NessBenchError, match=r"a tenth of 9 training images .* give 10 or more"):
        hold_out(numbered(9))
