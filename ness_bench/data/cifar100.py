"""CIFAR-100 (Krizhevsky 2009), fine labels: the official "python version", packed or unpacked.

Test is the official test set of 10,000 images. Val is 5,000 images held out of the official train set, see
`hold_out`; this is ours. The splits of NAS-Bench-201 are in `splits`.
"""

from ness_bench.data.batches import Batches

ARCHIVE = "cifar-100-python.tar.gz"
URL, MD5 = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}", "eb9058c3a382ffc7106e4002c42a8d85"

BATCHES = Batches(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar-100-python",
    archive=ARCHIVE,
    source=f"{URL} (MD5 {MD5})",
    train_files=("train",),
    test_files=("test",),
    names_file="meta",
    names_key="fine_label_names",
    labels_key="fine_labels",
    classes=100,
    last_label=99,
    size=32,
    train_images=50_000,
    test_images=10_000,
    mean=(129.3, 124.1, 112.4),
    std=(68.2, 65.4, 70.4),
    md5={ARCHIVE: MD5},
)
