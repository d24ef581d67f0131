from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from ness_bench.data import fashion_mnist
from ness_bench.data.images import LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import OPERATIONS, prune
from ness_bench.training.one_shot import darts, inherited, uniform, weights
from ness_bench.training.one_shot.descent import Descent, train_tensors
from ness_bench.training.tensors import one_thread

SKELETON = Skeleton(channels=4, cells=1)
UNIFORM = uniform.UniformRecipe(epochs=2, batch_size=32)
DARTS = darts.DartsRecipe(epochs=1, batch_size=32)
ARCHITECTURE = (3, 0, 1, 4, 2, 3)


@pytest.fixture(autouse=True)
def alone():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def data():
    shipped = fashion_mnist.load()
    return replace(shipped, train=shipped.train.first(320), val=shipped.val.first(100))


def with_labels(data, where, label):
    labels = data.train.labels.copy()
    labels[where] = label
    return replace(data, train=LabelledImages(data.train.pixels, labels))


@pytest.fixture
def supernet():
    return Supernet(SKELETON, torch.Generator().manual_seed(0))


def test_a_step_moves_only_the_weights_on_the_path(data, supernet):
    images, labels = train_tensors(data, SKELETON, 1)
    descent = Descent(supernet, UNIFORM, 10)

    def step(architecture):
        descent.step(F.cross_entropy(supernet.forward_path(images, architecture), labels))

    step((3, 2, 3, 2, 3, 2))  # leaves momentum on weights that the next path does not touch
    before = {name: parameter.detach().clone() for name, parameter in supernet.named_parameters()}
    step(ARCHITECTURE)
    moved = {name for name, parameter in supernet.named_parameters() if not torch.equal(parameter, before[name])}
    cell = {
        f"{edge}_{OPERATIONS[operation]}" for edge, operation in enumerate(prune(ARCHITECTURE)) if operation in (2, 3)
    }
    on_path = {name for name in before if ".kernels." not in name or name.rpartition(".")[2] in cell}
    assert moved == on_path


def test_uniform_training_reaches_every_weight_and_learns(data):
    recipe = replace(UNIFORM, epochs=12)
    trained = uniform.train(data, SKELETON, recipe, 0)
    untrained = Supernet(SKELETON, torch.Generator().manual_seed(0))  # the same start
    for name, start in untrained.state_dict().items():
        assert not torch.equal(trained.state_dict()[name], start), name
    images, labels = train_tensors(data, SKELETON, 1)
    with torch.no_grad():
        losses = [
            np.mean([F.cross_entropy(net.forward_path(images, (o,) * 6), labels) for o in (1, 2, 3, 4)])
            for net in (untrained, trained)
        ]
    assert losses[1] < 0.85 * losses[0]


def test_alpha_gradient_is_the_finite_difference(data, supernet):
    images, labels = train_tensors(data, SKELETON, 1)
    images, labels, supernet = images[:16].double(), labels[:16], supernet.double()
    alphas = torch.randn(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)

    def loss(alphas):
        with torch.no_grad():
            return F.cross_entropy(supernet(images, alphas.softmax(1)), labels)

    gradient = darts.alpha_gradient(supernet, alphas, images, labels)
    for entry in range(alphas.numel()):
        shift = torch.zeros(alphas.numel(), dtype=torch.float64)
        shift[entry] = 1e-5
        shift = shift.view_as(alphas)
        difference = (loss(alphas + shift) - loss(alphas - shift)) / 2e-5
        assert gradient.flatten()[entry].item() == pytest.approx(difference.item(), rel=1e-4, abs=1e-8)


def test_each_half_trains_its_own(data):
    """Labels of the one half reach only the weights, those of the other only α."""
    halves = darts.halves(len(data.train), torch.Generator().manual_seed(0))
    assert sorted(torch.cat(halves).tolist()) == list(range(len(data.train)))
    weights_changed, alphas_changed = (with_labels(data, half.numpy(), 0) for half in halves)

    still_weights = replace(DARTS, learning_rate=0.0, final_learning_rate=0.0)
    learned = [darts.train(d, SKELETON, still_weights, 0)[1] for d in (data, weights_changed, alphas_changed)]
    np.testing.assert_array_equal(learned[0], learned[1])
    assert not np.array_equal(learned[0], learned[2])

    still_alphas = replace(DARTS, alpha_learning_rate=0.0)
    trained = [
        weights.to_bytes(*darts.train(d, SKELETON, still_alphas, 0)) for d in (data, weights_changed, alphas_changed)
    ]
    assert trained[0] != trained[1]
    assert trained[0] == trained[2]


def test_alpha_history(data):
    """Adam's first step has the length of its learning rate; the history begins before it."""
    once = replace(DARTS, epochs=2, batch_size=len(data.train) // 2)
    _, alphas = darts.train(data, SKELETON, once, 0)
    assert alphas.shape == (3, 6, 5)
    assert alphas.dtype == np.float32
    assert 0 < np.abs(alphas[0]).max() < 5e-3
    np.testing.assert_allclose(np.abs(alphas[1] - alphas[0]), once.alpha_learning_rate, rtol=0.01)


def test_a_seed_decides_every_bit(data):
    def train(seed):
        supernet, alphas = darts.train(data, SKELETON, DARTS, seed)
        return weights.to_bytes(uniform.train(data, SKELETON, UNIFORM, seed), None) + weights.to_bytes(supernet, alphas)

    first, again, other = (train(seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_inherited_probabilities(data, supernet):
    images = data.normalise(data.val.pixels)
    assert prune((3, 0, 0, 4, 0, 3)) == prune((1, 0, 0, 4, 0, 2))
    predicted = inherited.probabilities(supernet, (3, 0, 0, 4, 0, 3), images)
    assert predicted.shape == (len(images), 10)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(predicted, inherited.probabilities(supernet, (1, 0, 0, 4, 0, 2), images))
    logits = supernet.forward_path(torch.from_numpy(images[..., 0])[:, None], ARCHITECTURE).detach().numpy()
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(
        inherited.probabilities(supernet, ARCHITECTURE, images), odds / odds.sum(1, keepdims=True), atol=1e-5
    )


@pytest.mark.parametrize("alphas", [None, np.arange(60, dtype=np.float32).reshape(2, 6, 5)])
def test_files_keep_all(supernet, tmp_path, alphas):
    path = tmp_path / "supernet.safetensors"
    path.write_bytes(weights.to_bytes(supernet, alphas, kind="darts", seed=3, recipe=asdict(DARTS)))
    loaded, loaded_alphas = weights.load(path, SKELETON)
    assert loaded.skeleton == SKELETON
    assert weights.to_bytes(loaded, loaded_alphas) == weights.to_bytes(supernet, alphas)
    np.testing.assert_array_equal(loaded_alphas, alphas)
    with safe_open(path, "np") as file:
        header = file.metadata()
    assert header["kind"] == '"darts"'
    assert header["seed"] == "3"
    assert '"alpha_betas": [0.5, 0.999]' in header["recipe"]


def test_unusable_files_are_refused(supernet, tmp_path):
    path = tmp_path / "supernet.safetensors"
    content = weights.to_bytes(supernet, None)
    path.write_bytes(content)
    with pytest.raises(NessBenchError, match=r"channels=4, cells=1.*channels=8, cells=1.* was asked for"):
        weights.load(path, replace(SKELETON, channels=8))
    path.write_bytes(content[:-1])
    with pytest.raises(NessBenchError, match="cannot be read"):
        weights.load(path, SKELETON)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(NessBenchError, match="holds no supernet"):
        weights.load(path, SKELETON)
    with pytest.raises(NessBenchError, match="cannot be read"):
        weights.load(tmp_path / "absent.safetensors", SKELETON)


def test_data_that_does_not_fit_is_refused(data):
    with pytest.raises(NessBenchError, match="build the skeleton for this data set"):
        uniform.train(data, replace(SKELETON, image_size=16), UNIFORM, 0)
    with pytest.raises(NessBenchError, match="320 training images were given, but a step takes 321"):
        uniform.train(data, SKELETON, replace(UNIFORM, batch_size=321), 0)
    with pytest.raises(NessBenchError, match="a step takes 322"):
        darts.train(data, SKELETON, replace(DARTS, batch_size=161), 0)
