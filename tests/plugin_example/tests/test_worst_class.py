import numpy as np
from top_m.worst_class import WORST_CLASS, worst_class_accuracy

from ness_bench.testing import MetricContract


class TestWorstClass(MetricContract):
    metric = WORST_CLASS


def test_it_is_the_least_of_the_accuracies_of_classes():
    labels = np.array([0, 0, 0, 2, 2, 2, 2])
    predicted = np.array([0, 0, 1, 2, 1, 0, 2])  # 2 of 3, and 2 of 4; class 1 has no examples
    assert worst_class_accuracy(np.eye(3)[predicted][None], np.ones(1), labels) == 0.5
