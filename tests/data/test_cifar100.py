import pickle

import numpy as np
import pytest
from image_files import Attack, archive_of, cifar100_files, images_of, python_3, write_pickles

from ness_bench.data.cifar100 import ARCHIVE, BATCHES
from ness_bench.data.named import load_named
from ness_bench.errors import NessBenchError


@pytest.fixture
def files():
    return cifar100_files()


@pytest.fixture
def folder(tmp_path, files):
    return write_pickles(tmp_path / "cifar-100-python", files)


def test_fine_labels_and_their_names(folder, files):
    data = load_named(str(folder))
    assert data.name == "cifar100"
    assert (len(data.train), len(data.val), len(data.test)) == (180, 20, 100)
    assert data.class_names == tuple(f"class {label}" for label in range(100))
    np.testing.assert_array_equal(data.test.pixels, images_of(files["test"][b"data"], 32))
    np.testing.assert_array_equal(data.test.labels, files["test"][b"fine_labels"])
    official = {
        (image.tobytes(), label)
        for image, label in zip(images_of(files["train"][b"data"], 32), files["train"][b"fine_labels"], strict=True)
    }
    held = {(i.tobytes(), int(k)) for s in (data.train, data.val) for i, k in zip(s.pixels, s.labels, strict=True)}
    assert held == official


def test_folder_archive_name_and_python_3_are_the_same(folder, files, tmp_path, monkeypatch):
    expected = load_named(str(folder)).digest
    archive = archive_of(folder, ARCHIVE)
    assert load_named(str(archive)).digest == expected
    monkeypatch.setenv("NESS_BENCH_DATA", str(tmp_path))
    write_pickles(folder, files, python_3)
    assert load_named("cifar100").digest == expected
    for file in folder.iterdir():
        file.unlink()
    assert load_named("cifar100").digest == expected  # from the archive


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("train", {b"fine_labels": [100] + [0] * 199}, r"train is damaged .*image 0 has the label 100"),
        (
            "test",
            {b"fine_labels": [0] * 99 + [-1]},
            r"test is damaged .*label from 0 to 99 .*image 99 has the label -1",
        ),
        ("test", {b"fine_labels": [0] * 99 + [True]}, r"image 99 has the label True"),
        ("test", {b"fine_labels": [0] * 99}, "100 images have 99 labels"),
        ("test", {b"fine_labels": None}, "fine_labels is missing or of another type"),
        ("test", {b"data": np.zeros((100, 3072))}, r"data is float64 \[100, 3072\]"),
        ("meta", {b"fine_label_names": [b"a"] * 99}, "it names 99 classes, CIFAR-100 has 100"),
        ("meta", {b"fine_label_names": None}, "no list of names under fine_label_names"),
        ("meta", {b"fine_label_names": Attack(print, "ran")}, "it asks for .*print"),
    ],
)
def test_what_is_wrong_is_named(folder, files, capsys, file, change, message):
    (folder / file).write_bytes(pickle.dumps(files[file] | change, protocol=2))
    with pytest.raises(NessBenchError, match=message) as caught:
        load_named(str(folder))
    assert "eb9058c3a382ffc7106e4002c42a8d85" in str(caught.value)
    assert not capsys.readouterr().out


def test_missing_files_are_named(folder):
    for name in ("meta", "train"):
        (folder / name).unlink()
    with pytest.raises(NessBenchError, match="lacks train, meta of CIFAR-100"):
        BATCHES.read(folder)


def test_a_folder_with_both_cifars_is_not_guessed_about(folder, tmp_path):
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    (batches / "test_batch").touch()
    with pytest.raises(NessBenchError, match=r"several data sets: cifar10 \(.*cifar100 \(.*give the path of one"):
        load_named(str(tmp_path))
