"""NAS-Bench-201's splits (Dong & Yang, ICLR 2020), by the names that its tables give them.

| split | train | val | test |
|---|---|---|---|
| `cifar10` | all of train | none | the official test set |
| `cifar10-valid` | a half of train | the other half | the official test set |
| `cifar100` | all of train | a half of the official test set | the other half |
| `imagenet16-120` | all of train | a half of the official test set | the other half |

The halves are as large as the published ones but ours, drawn by a fixed seed: the published ones are lists of indices
that come with the authors' training code, not with their table APIs. What is trained or scored on a half is therefore
an estimate of the same quantity on other images; the tables' numbers do not belong to these very images.
"""

from ness_bench.data.images import DataSet, LabelledImages
from ness_bench.data.official import Official
from ness_bench.errors import NessBenchError, nearest

SPLITS = {"cifar10": "cifar10", "cifar10-valid": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet16-120"}
"""The data set that each split is one of."""


def require_split_of(name: str, split: str) -> None:
    """Refuse a split that does not exist, or that is not one of the data set of that name.

    Raises:
        NessBenchError: it is so.
    """
    if split not in SPLITS:
        raise NessBenchError(f'unknown split "{split}"{nearest(split, list(SPLITS))}; allowed: {", ".join(SPLITS)}')
    if SPLITS[split] != name:
        fitting = ", ".join(known for known, of in SPLITS.items() if of == name) or "none"
        raise NessBenchError(f"the split {split} is one of {SPLITS[split]}; those of {name}: {fitting}")


def split_as(split: str, official: Official) -> DataSet:
    """The data set, called `split`, divided as the table above says; train is shuffled, always in the same way.

    Val of `cifar10` has no images, since nothing is held out.

    Raises:
        NessBenchError: there is no such split, or it is one of another data set.
    """
    require_split_of(official.name, split)
    train, test = official.train.shuffled(), official.test
    if split == "cifar10":
        return DataSet(split, official.class_names, train, train.first(0), test)
    if split == "cifar10-valid":
        return DataSet(split, official.class_names, *_halves(train), test)
    return DataSet(split, official.class_names, train, *_halves(test.shuffled()))


def _halves(shuffled: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    half = len(shuffled) // 2
    return shuffled.first(half), LabelledImages(shuffled.pixels[half:], shuffled.labels[half:])
