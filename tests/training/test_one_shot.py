"""What all supernets in training share: steps on weights and α, inherited predictions, files."""

import json
from dataclasses import asdict, replace
from importlib.resources import as_file, files

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from ness_bench.data import fashion_mnist
from ness_bench.data.images import LabelledImages
from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.darts_supernet import DartsSupernet
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.spaces.nas_bench_201 import OPERATIONS, prune
from ness_bench.training.one_shot import darts, inherited, kinds, uniform, weights
from ness_bench.training.one_shot.descent import Descent, halves, train_tensors
from ness_bench.training.one_shot.snas import SnasRecipe
from ness_bench.training.tensors import to_tensor

SKELETON = Skeleton(channels=4, cells=1)
DARTS_SPACE = DartsSkeleton(channels=2, layers=3, input_channels=1, image_size=8)
UNIFORM = uniform.UniformRecipe(epochs=2, batch_size=32)
DARTS = darts.DartsRecipe(epochs=1, batch_size=32)
ARCHITECTURE = (3, 0, 1, 4, 2, 3)


@pytest.fixture(scope="module")
def data():
    shipped = fashion_mnist.load()
    return replace(shipped, train=shipped.train.first(320), val=shipped.val.first(100))


def with_labels(data, where, label):
    labels = data.train.labels.copy()
    labels[where] = label
    return replace(data, train=LabelledImages(data.train.pixels, labels))


def content(trained):
    """A trained supernet and its α as one value."""
    held = {name: value.numpy().tobytes() for name, value in trained.model.state_dict().items()}
    return held, trained.alphas.tobytes() if trained.alphas is not None else None


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
    trained = kinds.train("uniform", data, SKELETON, recipe, 0).model
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
    both = halves(len(data.train), torch.Generator().manual_seed(0))
    assert sorted(torch.cat(both).tolist()) == list(range(len(data.train)))
    weights_changed, alphas_changed = (with_labels(data, half.numpy(), 0) for half in both)

    still_weights = replace(DARTS, learning_rate=0.0, final_learning_rate=0.0)
    three = data, weights_changed, alphas_changed
    learned = [kinds.train("darts", d, SKELETON, still_weights, 0).alphas for d in three]
    np.testing.assert_array_equal(learned[0], learned[1])
    assert not np.array_equal(learned[0], learned[2])

    still_alphas = replace(DARTS, alpha_learning_rate=0.0)
    trained = [content(kinds.train("darts", d, SKELETON, still_alphas, 0)) for d in three]
    assert trained[0] != trained[1]
    assert trained[0] == trained[2]


def test_alpha_history(data):
    """Adam's first step has the length of its learning rate; the history begins before it."""
    once = replace(DARTS, epochs=2, batch_size=len(data.train) // 2)
    alphas = kinds.train("darts", data, SKELETON, once, 0).alphas
    assert alphas.shape == (3, 6, 5)
    assert alphas.dtype == np.float32
    assert 0 < np.abs(alphas[0]).max() < 5e-3
    np.testing.assert_allclose(np.abs(alphas[1] - alphas[0]), once.alpha_learning_rate, rtol=0.01)


def test_a_seed_decides_every_bit(data):
    def train(seed):
        both = (("uniform", UNIFORM), ("darts", DARTS))
        return [content(kinds.train(kind, data, SKELETON, recipe, seed)) for kind, recipe in both]

    first, again, other = (train(seed) for seed in (1, 1, 2))
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


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


def test_log_likelihood_gradient_is_the_finite_difference(data, supernet):
    images, labels = data.normalise(data.val.pixels[:32]), data.val.labels[:32]
    path = (3, 0, 1, 4, 2, 3)
    found = inherited.log_likelihood_gradient(supernet, path, images, labels)
    assert found.shape == (6, 5)
    assert found.dtype == np.float64
    precise, one_hot = supernet.double(), F.one_hot(torch.tensor(path), 5).double()

    def log_likelihood(weights):
        with torch.no_grad():
            return -F.cross_entropy(precise(to_tensor(images).double(), weights), torch.from_numpy(labels)).item() * 32

    for edge in range(6):
        for operation in range(5):
            shift = torch.zeros(6, 5, dtype=torch.float64)
            shift[edge, operation] = 1e-6
            difference = (log_likelihood(one_hot + shift) - log_likelihood(one_hot - shift)) / 2e-6
            assert found[edge, operation] == pytest.approx(difference, rel=1e-3, abs=1e-3)
    assert (found[:, 0] == 0).all()


def test_statistics_of_other_images_in_the_darts_space(data):
    """All of its normalisations have their statistics replaced, those behind pools as well."""
    supernet = DartsSupernet(DARTS_SPACE, torch.Generator().manual_seed(0))
    path = supernet.random_path(torch.Generator().manual_seed(0))
    images = data.normalise(data.val.pixels)
    plain = inherited.probabilities(supernet, path, images)
    (own,) = inherited.predictions(supernet, [path], images, calibration=images)
    np.testing.assert_allclose(own, plain, atol=1e-5)
    by_others, of_few = (inherited.probabilities(supernet, path, some, images[50:]) for some in (images, images[:3]))
    np.testing.assert_allclose(by_others[:3], of_few, atol=1e-5)
    assert np.abs(by_others - plain).max() > 1e-3


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
    whole = weights.to_bytes(supernet, None)
    path.write_bytes(whole)
    with pytest.raises(NessBenchError, match=r"channels=4, cells=1.*channels=8, cells=1.* was asked for"):
        weights.load(path, replace(SKELETON, channels=8))
    path.write_bytes(whole[:-1])
    with pytest.raises(NessBenchError, match="cannot be read"):
        weights.load(path, SKELETON)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(NessBenchError, match="holds no supernet"):
        weights.load(path, SKELETON)
    with pytest.raises(NessBenchError, match="cannot be read"):
        weights.load(tmp_path / "absent.safetensors", SKELETON)


def test_files_tell_what_they_hold(data, tmp_path):
    supernet = DartsSupernet(DARTS_SPACE, torch.Generator().manual_seed(0))
    alphas = np.ones((3, 28, 8), np.float32)
    provenance = {"kind": "snas", "seed": 4, "recipe": asdict(SnasRecipe(epochs=2)), "data": data.name}
    path, whole = tmp_path / "supernet", weights.to_bytes(supernet, alphas, data_digest=data.digest, **provenance)
    path.write_bytes(whole)
    told = weights.describe(path)
    assert (told.skeleton, told.kind, told.seed, told.epochs) == (DARTS_SPACE, "snas", 4, 2)
    assert (told.data, told.data_digest, told.recipe["resource_weight"]) == (data.name, data.digest, 0)
    loaded, loaded_alphas = weights.load(path, DARTS_SPACE)
    assert weights.to_bytes(loaded, loaded_alphas, data_digest=data.digest, **provenance) == whole
    with pytest.raises(NessBenchError, match=r"holds a supernet of DartsSkeleton.* but Skeleton"):
        weights.load(path, SKELETON)
    path.write_bytes(whole[:100])
    with pytest.raises(NessBenchError, match="cannot be read"):
        weights.describe(path)
    save_file({"x": torch.zeros(1)}, path, {"space": '"nasnet"', "skeleton": "{}"})
    with pytest.raises(NessBenchError, match=r"no supernet of a known space .*nasnet"):
        weights.describe(path)
    save_file({"x": torch.zeros(1)}, path, {"skeleton": json.dumps(asdict(SKELETON))})
    with pytest.raises(NessBenchError, match="is damaged"):
        weights.load(path, SKELETON)


@pytest.mark.parametrize(
    ("name", "kind", "epochs"), [("uniform-40-seed0", "uniform", 40), ("darts-50-seed1", "darts", 50)]
)
def test_shipped_supernets_are_read(name, kind, epochs):
    with as_file(files("ness_bench.banks") / "shipped/fashion/supernets" / f"{name}.safetensors") as path:
        told = weights.describe(path)
        assert (told.kind, told.epochs, told.skeleton, told.data) == (kind, epochs, Skeleton(), None)
        _, alphas = weights.load(path, told.skeleton)
    assert (alphas is None) == (kind == "uniform")


def test_data_that_does_not_fit_is_refused(data):
    with pytest.raises(NessBenchError, match="build the skeleton for this data set"):
        kinds.train("uniform", data, replace(SKELETON, image_size=16), UNIFORM, 0)
    with pytest.raises(NessBenchError, match="320 training images were given, but a step takes 321"):
        kinds.train("uniform", data, SKELETON, replace(UNIFORM, batch_size=321), 0)
    with pytest.raises(NessBenchError, match="a step takes 322"):
        kinds.train("darts", data, SKELETON, replace(DARTS, batch_size=161), 0)
