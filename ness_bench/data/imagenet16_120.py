"""ImageNet16-120 (Dong & Yang, ICLR 2020): 16×16 images of the first 120 classes of downsampled ImageNet.

Downsampled ImageNet (Chrabaszcz, Loshchilov & Hutter, arXiv 1707.08819) is published as pickles
`train_data_batch_1` to `train_data_batch_10` and `val_data`, with labels 1 to 1000. Classes are called here by
their label there, `1` to `120`. Test is what is left of ImageNet's validation set, 6,000 images; val is 5,000
images held out of train, see `hold_out`; this is ours. The splits of NAS-Bench-201 are in `splits`.
"""

from pathlib import Path

from ness_bench.data.batches import Batches
from ness_bench.data.official import Official
from ness_bench.errors import NessBenchError

BATCHES = Batches(
    name="imagenet16-120",
    title="ImageNet16-120",
    folder="ImageNet16",
    archive=None,
    source="https://image-net.org/download-images (downsampled, 16×16, train and val; after registration), "
    "or the folder ImageNet16 that NAS-Bench-201's authors share on Google Drive "
    "(https://github.com/D-X-Y/NAS-Bench-201)",
    train_files=tuple(f"train_data_batch_{number}" for number in range(1, 11)),
    test_files=("val_data",),
    labels_key="labels",
    classes=120,
    first_label=1,
    last_label=1000,
    class_names=tuple(str(label) for label in range(1, 121)),
    size=16,
    train_images=151_700,
    test_images=6_000,
    mean=(122.68, 116.66, 104.01),
    std=(63.22, 61.26, 65.09),
    statistics_of_train=False,  # the authors normalise by them and do not say which images they are of
    md5={
        "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
        "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
        "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
        "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
        "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
        "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
        "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
        "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
        "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
        "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
        "val_data": "3410e3017fdaefba8d5073aaa65e4bd6",
    },
)


def read(path: Path) -> Official:
    """As `Batches.read`; a set that is not whole is refused, since its batches tell nothing of what they lack.

    Raises:
        NessBenchError: as `Batches.read`; or there are not 151,700 train and 6,000 test images of the 120 classes.
    """
    found = BATCHES.read(path)
    counts, wanted = (len(found.train), len(found.test)), (BATCHES.train_images, BATCHES.test_images)
    if counts != wanted:
        raise NessBenchError(
            f"{path} holds {counts[0]:,} train and {counts[1]:,} val images of the first {BATCHES.classes} classes; "
            f"ImageNet16-120 has {wanted[0]:,} and {wanted[1]:,}; get it again from {BATCHES.source}"
        )
    return found
