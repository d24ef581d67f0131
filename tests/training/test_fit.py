import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.training.fit import TrainingDivergedError, fit
from ness_bench.training.recipe import Recipe

ARCHITECTURE = (3, 4, 1, 2, 0, 3)
SKELETON = Skeleton(cells=1, classes=3)
RECIPE = Recipe(epochs=2, batch_size=32)


def noise_split(examples, rng, frequencies=(0.6, 0.3, 0.1)):
    pixels = rng.integers(0, 256, (examples, 8, 8, 1), np.uint8)
    return LabelledImages(pixels, rng.choice(3, examples, p=frequencies))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return DataSet("noise", ("a", "b", "c"), *(noise_split(examples, rng) for examples in (200, 50, 41)))


def test_engines_agree(data):
    cpu, eager = (fit(ARCHITECTURE, data, SKELETON, RECIPE, 7, engine=engine) for engine in ("cpu", "torch"))
    np.testing.assert_allclose(cpu.val, eager.val, atol=1e-4)
    np.testing.assert_allclose(cpu.test, eager.test, atol=1e-4)
    np.testing.assert_array_equal(cpu.curve, eager.curve)


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_result_is_well_formed(data, engine):
    fitted = fit(ARCHITECTURE, data, SKELETON, RECIPE, 0, engine=engine)
    assert fitted.val.shape == (50, 3)
    assert fitted.test.shape == (41, 3)
    assert fitted.val.dtype == fitted.test.dtype == fitted.curve.dtype == np.float32
    np.testing.assert_allclose(fitted.test.sum(1), 1, rtol=1e-5)
    assert len(fitted.curve) == RECIPE.epochs
    assert fitted.curve[-1] == pytest.approx((fitted.val.argmax(1) == data.val.labels).mean())
    assert fitted.cpu_seconds > 0


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_a_seed_decides_every_bit(data, engine):
    first, again, other = (fit(ARCHITECTURE, data, SKELETON, RECIPE, seed, engine=engine) for seed in (1, 1, 2))
    assert first.val.tobytes() == again.val.tobytes()
    assert first.test.tobytes() == again.test.tobytes()
    assert first.val.tobytes() != other.val.tobytes()


def test_it_learns():
    """Images whose brightness tells the class are classified almost perfectly."""
    rng = np.random.default_rng(0)

    def split(examples):
        labels = rng.integers(0, 3, examples)
        return LabelledImages(
            (80 * labels[:, None, None, None] + rng.integers(0, 60, (examples, 8, 8, 1))).astype(np.uint8), labels
        )

    data = DataSet("brightness", ("a", "b", "c"), split(320), split(60), split(60))
    fitted = fit(ARCHITECTURE, data, SKELETON, replace(RECIPE, epochs=4), 0)
    assert (fitted.test.argmax(1) == data.test.labels).mean() > 0.9


def test_a_dead_cell_learns_the_class_frequencies(data):
    fitted = fit((0, 0, 0, 0, 0, 0), data, SKELETON, replace(RECIPE, epochs=20), 0)
    np.testing.assert_array_equal(fitted.test, np.broadcast_to(fitted.test[0], fitted.test.shape))
    np.testing.assert_allclose(fitted.test[0], np.bincount(data.train.labels) / 200, atol=0.05)


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_divergence_is_an_error_that_names_the_training(data, engine):
    recipe = replace(RECIPE, learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match=r"nor_conv_3x3~0.* seed 5 .*epoch 1 of 2"):
        fit(ARCHITECTURE, data, SKELETON, recipe, 5, engine=engine)


@pytest.mark.parametrize(
    ("skeleton", "recipe", "message"),
    [
        (replace(SKELETON, image_size=16), RECIPE, r"noise.*\(8, 8, 1\).*\(16, 16, 1\)"),
        (replace(SKELETON, classes=10), RECIPE, "3 classes.* 10"),
        (SKELETON, replace(RECIPE, batch_size=256), "200 training images .* 256"),
    ],
)
def test_what_does_not_fit_together_is_refused(data, skeleton, recipe, message):
    with pytest.raises(NessBenchError, match=message):
        fit(ARCHITECTURE, data, skeleton, recipe, 0)


def test_importing_it_loads_neither_torch_nor_numba():
    code = "import sys, ness_bench.training.fit; sys.exit(bool({'torch', 'numba'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
