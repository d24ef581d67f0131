"""Small files in the official formats, and pickles that want more than they should."""

import gzip
import io
import pickle
import struct
import tarfile
from typing import ClassVar

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings."""

    def save_string(self, string):
        short = len(string) < 256
        self.write((b"U" + bytes([len(string)]) if short else b"T" + struct.pack("<i", len(string))) + string)
        self.memoize(string)

    dispatch: ClassVar = pickle._Pickler.dispatch | {bytes: save_string}


def python_2(content):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(content)
    return file.getvalue().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def python_3(content):
    return pickle.dumps(content, protocol=2)


class Attack:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def archive_of(folder, name):
    """The folder packed beside itself."""
    with tarfile.open(folder.parent / name, "w:gz") as archive:
        archive.add(folder, folder.name)
    return folder.parent / name


def images_of(rows, size):
    """As the official pages have it: all red values row by row, then green, then blue."""
    row, column, channel = np.indices((size, size, 3))
    return rows[:, size * size * channel + size * row + column]


def cifar100_files(each=2):
    """train with some images of each class, test with one of each; coarse labels are not the fine ones."""
    rng = np.random.default_rng(0)
    names = {
        b"fine_label_names": [b"class %d" % label for label in range(100)],
        b"coarse_label_names": [b"group %d" % label for label in range(20)],
    }
    files = {"meta": names}
    for name, images in (("train", 100 * each), ("test", 100)):
        labels = rng.permutation(np.arange(images) % 100)
        files[name] = {
            b"batch_label": b"a batch",
            b"fine_labels": labels.tolist(),
            b"coarse_labels": (labels // 5).tolist(),
            b"data": rng.integers(0, 256, (images, 3072), np.uint8),
            b"filenames": [b"a_s_000004.png"] * images,
        }
    return files


def imagenet16_files(images=30):
    """Ten train batches and val_data, with labels from 1 to 1000, half of them to 120."""
    rng = np.random.default_rng(0)
    files = {}
    for name in [f"train_data_batch_{number}" for number in range(1, 11)] + ["val_data"]:
        labels = np.where(rng.random(images) < 0.5, rng.integers(1, 121, images), rng.integers(121, 1001, images))
        labels[:4] = 1, 120, 121, 1000
        files[name] = {"data": rng.integers(0, 256, (images, 768), np.uint8), "labels": labels.tolist()}
        if name != "val_data":
            files[name]["mean"] = rng.random(768)
    return files


def write_pickles(folder, files, as_pickle=python_2):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(as_pickle(content))
    return folder


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
