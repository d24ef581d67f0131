"""Accuracy on the class that the ensemble knows least."""

import numpy as np
import numpy.typing as npt

from ness_bench.ensembles.metrics import ensemble_probabilities
from ness_bench.studies.metrics import Metric


def worst_class_accuracy(
    probabilities: npt.NDArray[np.floating], weights: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> float:
    """The least share of right predictions that any class has, of the classes that have examples.

    Args:
        probabilities: of the members [members, examples, classes].
        weights: of the members; they sum to 1.
        labels: [examples].
    """
    right = ensemble_probabilities(probabilities, weights).argmax(-1) == labels
    examples = np.bincount(labels)
    there = examples > 0
    return float((np.bincount(labels, right)[there] / examples[there]).min())


WORST_CLASS = Metric("worst_class", "Worst class", "%", 1, "↑", worst_class_accuracy)
