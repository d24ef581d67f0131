"""CIFAR-10 (Krizhevsky 2009): the official "python version", packed or unpacked.

Test is the official test set of 10,000 images. Val is 5,000 images held out of the official train set, see
`hold_out`; this is ours. The splits of NAS-Bench-201 are in `splits`.
"""

from pathlib import Path

from ness_bench.data.batches import Batches
from ness_bench.data.images import DataSet

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
URL, MD5 = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}", "c58f30108f718f92721af3b95e74349a"
DOWNLOAD = f"{URL} (MD5 {MD5})"

BATCHES = Batches(
    name="cifar10",
    title="CIFAR-10",
    folder=FOLDER,
    archive=ARCHIVE,
    source=DOWNLOAD,
    train_files=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test_files=("test_batch",),
    labels_key="labels",
    classes=10,
    last_label=9,
    class_names=CLASS_NAMES,
    size=32,
    train_images=50_000,
    test_images=10_000,
    mean=(125.3, 123.0, 113.9),
    std=(63.0, 62.1, 66.7),
    md5={ARCHIVE: MD5},
)


def find(path: Path) -> Path | None:
    """As `Batches.find`; a `.tar.gz` that is not called as another data set's is taken for CIFAR-10's as well."""
    if found := BATCHES.find(path):
        return found
    renamed = path.name.endswith(".tar.gz") and not path.name.startswith("cifar-100") and path.is_file()
    return path if renamed else None


def load(path: Path) -> DataSet:
    """The data set in a folder or archive that `find` found; a folder is read faster.

    Raises:
        NessBenchError: a batch is missing, damaged, or asks for more than images and labels.
    """
    return BATCHES.read(path).with_val_held_out()
