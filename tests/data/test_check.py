"""`ness-bench data check`: what is there is told, and each fault by itself."""

import dataclasses
import gzip
import runpy
import shutil

import numpy as np
import pytest
from image_files import archive_of, cifar100_files, imagenet16_files, python_2, write_idx, write_pickles

from ness_bench.cli import main
from ness_bench.data import cifar10, fashion_mnist, named
from ness_bench.data.check import check
from ness_bench.data.md5 import md5_of
from ness_bench.errors import NessBenchError


@pytest.fixture
def published(monkeypatch):
    """Changes what counts as published of a data set, so that small files can be whole."""

    def change(name, **facts):
        monkeypatch.setitem(named.BATCHES, name, dataclasses.replace(named.BATCHES[name], **facts))

    return change


@pytest.fixture
def cifar100(tmp_path, published):
    """A small CIFAR-100 that is whole."""
    files = cifar100_files()
    pixels = files["train"][b"data"].reshape(-1, 3, 1024)
    mean, std = (tuple(f(pixels, (0, 2)).tolist()) for f in (np.mean, np.std))
    published("cifar100", train_images=200, test_images=100, mean=mean, std=std)
    return write_pickles(tmp_path / "cifar-100-python", files), files


def test_a_whole_folder(cifar100):
    folder, files = cifar100
    checked = check(str(folder.parent))
    assert checked.faults == []
    lines = dict(checked.lines)
    assert lines["data set"] == "cifar100 (CIFAR-100)"
    assert lines["at"] == str(folder)
    assert lines["train"] == "200 images, 2 of each of 100 classes"
    assert lines["test"] == "100 images, 1 of each of 100 classes"
    assert lines["images"] == "32×32 pixels, 3 channels"
    pixels = files["train"][b"data"].reshape(-1, 3, 1024)
    for label, numbers in (("mean of train", pixels.mean((0, 2))), ("std of train", pixels.std((0, 2)))):
        shown = " ".join(f"{number:.1f}" for number in numbers)
        assert lines[label] == f"{shown} of 255, by channel (published: {shown})"
    first = lines["digest"]
    files["test"][b"fine_labels"][:2] = files["test"][b"fine_labels"][1::-1]
    (folder / "test").write_bytes(python_2(files["test"]))
    assert dict(check(str(folder)).lines)["digest"] != first


def test_every_fault_is_told(cifar100):
    folder, files = cifar100
    (folder / "meta").write_bytes(python_2({b"fine_label_names": [b"a"] * 99}))
    files["train"][b"fine_labels"][3] = 100
    (folder / "train").write_bytes(python_2(files["train"]))
    (folder / "test").unlink()
    train, meta, test = check(str(folder)).faults
    assert "image 3 has the label 100" in train
    assert "names 99 classes, CIFAR-100 has 100" in meta
    assert f"{folder} lacks test of CIFAR-100" in test


def test_a_set_that_reads_well_and_is_not_whole(cifar100, published):
    folder, files = cifar100
    batch = files["train"]
    keep = [image for image, label in enumerate(batch[b"fine_labels"]) if label != 57]
    batch |= {b"data": batch[b"data"][keep] // 4, b"fine_labels": [batch[b"fine_labels"][k] for k in keep]}
    (folder / "train").write_bytes(python_2(batch))
    count, classes, means = check(str(folder)).faults
    assert "train has 198 images; CIFAR-100 has 200" in count
    assert "train has images of 99 classes, not of all 100: none of class 57" in classes
    assert "are not CIFAR-100's images" in means


def test_an_archive_is_checked_by_its_sum(cifar100, published):
    folder, _ = cifar100
    archive = archive_of(folder, "cifar-100-python.tar.gz")
    found = md5_of(archive)
    for place in (archive, folder):  # the archive beside a folder, too
        (fault,) = check(str(place)).faults
        assert fault.startswith(f"{archive} has the MD5 {found}, the published file eb9058c3a382ffc7106e4002c42a8d85")
    published("cifar100", md5={archive.name: found})
    assert check(str(archive)).faults == []
    archive.write_bytes(archive.read_bytes()[:-1000])
    checksum, *damage = check(str(archive)).faults
    assert f"has the MD5 {md5_of(archive)}, the published file {found}" in checksum
    assert f"{archive} is damaged" in damage[-1]
    assert "digest" not in dict(check(str(archive)).lines)


def test_imagenet16_120_is_checked_file_by_file(tmp_path, published):
    folder = write_pickles(tmp_path / "ImageNet16", imagenet16_files())
    published("imagenet16-120", md5={file.name: md5_of(file) for file in folder.iterdir()})
    (folder / "train_data_batch_4").write_bytes((folder / "train_data_batch_4").read_bytes()[:-99])
    (folder / "train_data_batch_9").unlink()
    checked = check(str(folder))
    checksum, damage, missing = checked.faults
    assert checksum.startswith(f"{folder / 'train_data_batch_4'} has the MD5")
    assert "train_data_batch_4 is damaged" in damage
    assert "lacks train_data_batch_9 of ImageNet16-120" in missing
    assert dict(checked.lines)["published files"] == "9 of 10 files with a published MD5 have it"


def test_idx_files(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for prefix in ("train", "t10k"):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", rng.integers(0, 146, (20, 28, 28)))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", np.arange(20) % 10)
    sums = {"train-images-idx3-ubyte.gz": "0" * 32}
    monkeypatch.setattr(fashion_mnist, "MD5", sums)
    checked = check(str(tmp_path))
    checksum, train, test = checked.faults
    assert "the published file 00000000000000000000000000000000" in checksum
    assert "train has 20 images; Fashion-MNIST has 60,000" in train
    assert "test has 20 images; Fashion-MNIST has 10,000" in test
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(20))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.arange(19))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"text"))
    _, label, image = check(str(tmp_path)).faults
    assert "label 19; allowed: 0 to 9" in label
    assert "t10k-images-idx3-ubyte.gz is no IDX file" in image


def test_own_images_and_the_shipped_subset(tmp_path):
    assert ("val", "2,000 images, 188 to 222 of each of 10 classes") in check("fashion").lines
    with pytest.raises(NessBenchError, match=r"birds\.npz is missing"):
        check(str(tmp_path / "birds.npz"))
    with pytest.raises(NessBenchError, match="unknown data set"):
        check(str(tmp_path))


def told(monkeypatch, *arguments):
    """Exit code of a command."""
    monkeypatch.setattr("sys.argv", ["ness-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as exited:
        main()
    return exited.value.code or 0


def test_the_command(cifar100, monkeypatch, capsys):
    folder, _ = cifar100
    monkeypatch.setenv("NESS_BENCH_DATA", str(folder.parent))
    assert told(monkeypatch, "data", "check", "cifar100") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "faults         none"
    (folder / "meta").unlink()
    assert told(monkeypatch, "data", "check", folder) == 2
    shown = capsys.readouterr()
    assert "lacks meta of CIFAR-100" in shown.out
    assert f"{folder} is not whole: 1 fault, listed above" in shown.err


def test_the_real_cifar10(shared, tmp_path, monkeypatch):
    """Written in the official layout: whole, and with the published statistics."""
    pytest.importorskip("PIL")
    monkeypatch.setattr("sys.argv", ["to_official.py", str(tmp_path)])
    runpy.run_path(str(shared / "data" / "cifar10" / "to_official.py"), run_name="__main__")
    checked = check(str(tmp_path))
    assert checked.faults == []
    lines = dict(checked.lines)
    assert lines["train"] == "50,000 images, 5,000 of each of 10 classes"
    assert lines["test"] == "10,000 images, 1,000 of each of 10 classes"
    for label, published in (("mean of train", cifar10.BATCHES.mean), ("std of train", cifar10.BATCHES.std)):
        found = [float(number) for number in lines[label].split(" of 255")[0].split()]
        assert found == pytest.approx(published, abs=0.11)
    shutil.rmtree(tmp_path)
