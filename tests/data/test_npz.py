import numpy as np
import pytest

from ness_bench.data import npz
from ness_bench.errors import NessBenchError


def arrays(channels=3, sizes=(("train", 60), ("val", 9), ("test", 30))):
    """Three splits sorted by class, as they come from a folder a class: the class is one third of the brightness."""
    rng = np.random.default_rng(0)
    content = {}
    for split, images in sizes:
        labels = np.sort(np.arange(images) % 3)
        pixels = rng.integers(0, 80, (images, 6, 6, channels)) + 80 * labels[:, None, None, None]
        content |= {f"{split}_images": pixels.astype(np.uint8), f"{split}_labels": labels}
    return content


def without_val(**changed):
    return {name: array for name, array in (arrays() | changed).items() if not name.startswith("val")}


def loaded(path, content, save=np.savez):
    save(path, **content)
    return npz.load(path)


def same(images, others):
    assert images.pixels.dtype == others.pixels.dtype == np.uint8
    np.testing.assert_array_equal(images.pixels, others.pixels)
    np.testing.assert_array_equal(images.labels, others.labels)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "birds.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_split_is_what_was_saved_but_shuffled(path, save):
    content = arrays() | {"class_names": np.array(["dark", "grey", "bright"])}
    data = loaded(path, content, save)
    assert (data.name, data.class_names) == ("birds", ("dark", "grey", "bright"))
    for split in ("train", "val", "test"):
        found, saved = getattr(data, split), content[f"{split}_images"]
        assert found.labels.dtype == np.int64
        order = [int(np.flatnonzero((saved == image).all((1, 2, 3)))[0]) for image in found.pixels]
        assert sorted(order) == list(range(len(saved)))
        np.testing.assert_array_equal(found.labels, content[f"{split}_labels"][order])
    for images in (data.train, data.test):
        assert set(images.first(12).labels) == {0, 1, 2}  # what a bank cuts off has every class


def test_val_is_held_out_of_train(path):
    content = without_val()
    data, again = loaded(path, content), npz.load(path)
    assert (len(data.train), len(data.val), len(data.test)) == (54, 6, 30)
    together = np.concatenate([data.train.pixels, data.val.pixels]).reshape(60, -1)
    saved = content["train_images"].reshape(60, -1)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(saved, axis=0))
    same(data.val, again.val)
    assert data.class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("channels", "rewritten"),
    [
        (3, lambda images: np.moveaxis(images, -1, 1)),
        (1, lambda images: np.moveaxis(images, -1, 1)),
        (1, lambda images: images[..., 0]),
    ],
)
def test_layouts_are_told_apart(path, channels, rewritten):
    content = arrays(channels)
    expected = loaded(path, content)
    found = loaded(path, {name: rewritten(a) if a.ndim == 4 else a for name, a in content.items()})
    assert found.train.pixels.shape == (60, 6, 6, channels)
    for split in ("train", "val", "test"):
        same(getattr(found, split), getattr(expected, split))


def test_three_by_three_by_three_reads_as_channels_last(path):
    content = {name: a[:, :3, :3] if a.ndim == 4 else a for name, a in arrays().items()}
    pixels = loaded(path, content).test.pixels
    assert any((pixels[0] == image).all() for image in content["test_images"])


def test_names_and_columns_of_labels_as_keras_has_them(path):
    content = without_val()
    keras = {f"{'xy'[name.endswith('labels')]}_{name.split('_')[0]}": array for name, array in content.items()}
    keras["y_train"] = keras["y_train"][:, None].astype(np.uint8)
    found, expected = loaded(path, keras), loaded(path, content)
    for split in ("train", "val", "test"):
        same(getattr(found, split), getattr(expected, split))


LABELS = arrays()["train_labels"]
IMAGES = arrays()["train_images"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_images": IMAGES / np.float32(255)}, "train_images is float32; give uint8 from 0 to 255"),
        ({"test_images": IMAGES[:0]}, r"test_images has shape \(0, 6, 6, 3\): it is empty"),
        ({"train_images": IMAGES[:, :5]}, r"train_images has shape \(60, 5, 6, 3\); give square images"),
        ({"train_images": IMAGES[..., :2]}, r"train_images has shape \(60, 6, 6, 2\); .* 1 or 3 channels"),
        ({"train_images": IMAGES.reshape(60, -1)}, r"train_images has shape \(60, 108\)"),
        ({"test_images": arrays(1)["test_images"]}, r"different shapes, .*'test': \(6, 6, 1\)"),
        ({"train_images": IMAGES[:59]}, r"train_labels has shape \(60,\) beside 59 images"),
        ({"train_labels": np.eye(3, dtype=int)[LABELS]}, r"train_labels has shape \(60, 3\) beside 60 images"),
        ({"train_labels": LABELS * 1.0}, "train_labels is float64; give integers"),
        ({"train_labels": LABELS - 1}, "train_labels goes from -1 to 1"),
        ({"train_labels": LABELS.astype(np.uint64) + 2**63}, "train_labels goes from 9223372036854775808"),
        ({"train_labels": LABELS + 10**12}, "train has no image of class 0"),
        ({"train_labels": np.where(LABELS == 1, 2, LABELS)}, "train has no image of class 1"),
        ({"test_labels": np.full(30, 3)}, "train has no image of class 3"),
        ({"train_labels": LABELS * 0, "test_labels": np.zeros(30, int)}, "has 1 class; give 2 or more"),
        ({"class_names": np.array(["a", "b"])}, "train has label 2, but class_names names 2 classes"),
        ({"class_names": np.array(["a", "b", "c", "dodo"])}, "train has no image of class dodo"),
        ({"class_names": np.array([b"a", b"b", b"c"])}, "class_names is .S1 .*; give strings"),
        ({"class_names": np.array("abc")}, r"class_names is <U3 \(\); give strings"),
        ({"train_images": IMAGES * np.array([1, 1, 0], np.uint8)}, "channel 2 is the same in all pixels"),
        ({"valid_images": IMAGES}, "holds valid_images, which mean nothing beside train_images"),
        ({"val_labels": LABELS}, "lacks val_images; it holds train_images"),
        ({"notes": np.array([{}])}, "notes cannot be read .*without Python objects"),
    ],
)
def test_what_is_wrong_is_named(path, changed, message):
    with pytest.raises(NessBenchError, match=message) as caught:
        loaded(path, without_val(**{k: v for k, v in changed.items() if not k.startswith("val_")}) | changed)
    assert str(path) in str(caught.value)


def test_missing_arrays_are_named_beside_those_that_are_there(path):
    content = without_val()
    del content["test_labels"], content["test_images"]
    with pytest.raises(NessBenchError, match="lacks test_images, test_labels; it holds train_images, train_labels"):
        loaded(path, content)


def test_damaged_files(path):
    with pytest.raises(NessBenchError, match=r"birds.npz is missing"):
        npz.load(path)
    np.savez_compressed(path, **arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(NessBenchError, match=r"no .npz file, or it is cut short"):
        npz.load(path)
    path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 255]) + whole[1001:])
    with pytest.raises(NessBenchError, match="train_images cannot be read"):
        npz.load(path)
    for other in (b"", b"label,pixel\n"):
        path.write_bytes(other)
        with pytest.raises(NessBenchError, match=r"no .npz file"):
            npz.load(path)
    with path.open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(NessBenchError, match=r"no .npz file"):
        npz.load(path)
