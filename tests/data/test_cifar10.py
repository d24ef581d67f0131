import codecs
import json
import pickle
import runpy

import numpy as np
import pytest
from image_files import Attack, archive_of, images_of, python_2, python_3

from ness_bench.data import cifar10
from ness_bench.errors import NessBenchError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def batch(images, rng):
    return {
        b"batch_label": b"a batch",
        b"labels": rng.integers(0, 10, images).tolist(),
        b"data": rng.integers(0, 256, (images, 3072), np.uint8),
        b"filenames": [b"leptodactylus_pentadactylus_s_000004.png"] * images,
    }


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    return {name: batch(20, rng) for name in BATCHES}


@pytest.fixture
def folder(tmp_path, batches):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in batches.items():
        (folder / name).write_bytes(python_2(content))
    return folder


def pairs(pixels, labels):
    return {(image.tobytes(), int(label)) for image, label in zip(pixels, labels, strict=True)}


def test_batches_become_splits(folder, batches):
    data = cifar10.load(folder)
    assert (len(data.train), len(data.val), len(data.test)) == (90, 10, 20)
    test = batches.pop("test_batch")
    np.testing.assert_array_equal(data.test.pixels, images_of(test[b"data"], 32))
    np.testing.assert_array_equal(data.test.labels, test[b"labels"])
    official = set().union(*(pairs(images_of(batch[b"data"], 32), batch[b"labels"]) for batch in batches.values()))
    train, val = (pairs(split.pixels, split.labels) for split in (data.train, data.val))
    assert len(official) == 100
    assert train | val == official  # so the 90 and the 10 have none in common


def test_folder_archive_and_batches_of_python_3_are_the_same(folder, batches):
    def content(data):
        return [(split.pixels.tobytes(), split.labels.tobytes()) for split in (data.train, data.val, data.test)]

    expected = content(cifar10.load(folder))
    assert content(cifar10.load(archive_of(folder, cifar10.ARCHIVE))) == expected
    for name, batch in batches.items():
        (folder / name).write_bytes(python_3(batch))
    assert content(cifar10.load(folder)) == expected


def test_the_real_images(shared, tmp_path):
    """A few of them: names, published channel means, and plain equality with the images they were written from."""
    image = pytest.importorskip("PIL.Image")
    source = shared / "data" / "cifar10"
    write = runpy.run_path(str(source / "to_official.py"))["write"]
    strips = [
        np.array(image.open(source / f"train_{k:03}.webp").convert("RGB")).reshape(-1, 32, 32, 3) for k in range(6)
    ]
    labels = np.load(source / "train_labels.npy")
    for k, (name, strip) in enumerate(zip(BATCHES, strips, strict=True)):
        write(tmp_path / name, strip, labels[500 * k : 500 * (k + 1)], name)
    data = cifar10.load(tmp_path)
    assert list(data.class_names) == json.loads((source / "classes.json").read_text())
    np.testing.assert_array_equal(data.test.pixels, strips[5])
    np.testing.assert_array_equal(data.test.labels, labels[2500:3000])
    means = data.train.pixels.mean((1, 2))  # [images, channels]
    errors = means.std(0) / np.sqrt(len(means))
    assert (abs(means.mean(0) - [125.3, 123.0, 113.9]) < 4 * errors).all()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_batch_that_would_run_code_is_refused(folder, tmp_path, protocol):
    trace = tmp_path / "trace"
    (folder / "data_batch_3").write_bytes(pickle.dumps({b"data": Attack(open, str(trace), "w")}, protocol=protocol))
    with pytest.raises(
        NessBenchError, match=r"data_batch_3 is damaged or not CIFAR-10's \(it asks for .*open"
    ) as caught:
        cifar10.load(folder)
    assert cifar10.DOWNLOAD in str(caught.value)
    assert not trace.exists()


def test_only_latin_1_is_decoded(folder):
    attack = Attack(codecs.encode, "eval(1)", "rot13")
    (folder / "test_batch").write_bytes(pickle.dumps({b"data": attack}, protocol=2))
    with pytest.raises(NessBenchError, match="it asks for the encoding rot13"):
        cifar10.load(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {b"labels": [0] * 19},
        {b"labels": [10] * 20},
        {b"labels": [[]] * 20},
        {b"data": np.zeros((20, 3072), np.int64)},
        {b"data": np.zeros((20, 3071), np.uint8)},
        {b"data": None},
    ],
)
def test_batches_of_something_else(folder, batches, changed):
    (folder / "data_batch_1").write_bytes(python_3(batches["data_batch_1"] | changed))
    with pytest.raises(NessBenchError, match=r"data_batch_1 .*holds no uint8 data \[images, 3072\] with a label"):
        cifar10.load(folder)


def test_damaged_and_missing_files(folder, batches):
    archive = archive_of(folder, cifar10.ARCHIVE)
    packed = archive.read_bytes()
    middle = len(packed) // 2
    for damaged in (packed[:middle], packed[:-5], packed[:middle] + bytes([packed[middle] ^ 1]) + packed[middle + 1 :]):
        archive.write_bytes(damaged)
        with pytest.raises(NessBenchError, match="download it again"):
            cifar10.load(archive)
    whole = (folder / "data_batch_2").read_bytes()
    (folder / "data_batch_2").write_bytes(whole[:-100])
    with pytest.raises(NessBenchError, match="data_batch_2 is damaged"):
        cifar10.load(folder)
    (folder / "data_batch_2").unlink()
    (folder / "test_batch").unlink()
    with pytest.raises(NessBenchError, match="cifar-10-batches-py lacks data_batch_2, test_batch of CIFAR-10"):
        cifar10.load(folder)


def test_where_it_is_found(folder):
    above = folder.parent
    assert cifar10.find(folder) == cifar10.find(above) == folder
    archive = archive_of(folder, cifar10.ARCHIVE)
    assert cifar10.find(above) == folder  # which is read faster
    assert cifar10.find(archive) == archive
    for file in folder.iterdir():
        file.unlink()
    assert cifar10.find(above) == archive
    archive.unlink()
    assert cifar10.find(above) is cifar10.find(archive) is None
