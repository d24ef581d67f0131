"""The layout of stored predictions against loops that sort by hand."""

import numpy as np
import pytest

from ness_bench.ensembles import metrics
from ness_bench.ensembles.quantised import MOST_MEMBERS, TOTAL, QuantisedPredictions, true_class_first

MEMBERS, EXAMPLES, CLASSES = 5, 37, 4


@pytest.fixture
def stored():
    """Units in class order [members, examples, classes], and labels among which is every class."""
    rng = np.random.default_rng(0)
    units = rng.multinomial(TOTAL, np.full(CLASSES, 1 / CLASSES), (MEMBERS, EXAMPLES)).astype(np.uint16)
    return units, np.arange(EXAMPLES) % CLASSES


def test_the_true_class_comes_first_and_the_others_keep_their_order(stored):
    units, labels = stored
    first = true_class_first(units, labels)
    assert first.dtype == np.uint16
    assert first.flags.c_contiguous
    for member in range(MEMBERS):
        for example, label in enumerate(labels):
            others = [c for c in range(CLASSES) if c != label]
            assert first[member, :, example].tolist() == units[member, example, [label, *others]].tolist()


def test_probabilities_come_back_in_class_order_and_exactly(stored):
    units, labels = stored
    predictions = QuantisedPredictions.of(units, labels)
    rows = [3, 0, 3]
    probabilities = predictions.probabilities(rows)
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(probabilities.astype(float) * TOTAL, units[rows])
    np.testing.assert_array_equal(predictions.true_class(rows), metrics.true_class(probabilities, labels))
    np.testing.assert_array_equal(predictions.true_class(), predictions.true_class(range(MEMBERS)))
    assert len(predictions) == MEMBERS


def test_sixteen_bits_hold_the_sums_of_so_many_members_and_no_more():
    assert MOST_MEMBERS * TOTAL <= np.iinfo(np.uint16).max < (MOST_MEMBERS + 1) * TOTAL
