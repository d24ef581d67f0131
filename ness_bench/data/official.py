"""An official data set as published: train and test images, before any val is set apart."""

from dataclasses import dataclass

from ness_bench.data.images import DataSet, LabelledImages, hold_out


@dataclass(frozen=True)
class Official:
    """The images of both published sets, in the order of the files.

    Attributes:
        name: as `load_named` knows it, such as `cifar100`.
        class_names: [classes], by label.
    """

    name: str
    class_names: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages

    def with_val_held_out(self) -> DataSet:
        """Val is held out of train (see `hold_out`; this is ours), test is the whole official test set."""
        train, val = hold_out(self.train.shuffled())
        return DataSet(self.name, self.class_names, train, val, self.test)
