import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ness_bench.banks import codec
from ness_bench.banks.jobs import MOST_CLASSES
from ness_bench.ensembles.quantised import TOTAL
from ness_bench.errors import NessBenchError


def distributions(examples, classes, sharpness, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(classes, 1 / sharpness), examples).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("classes", [2, 10, MOST_CLASSES])
def test_stored_probabilities_are_near(sharpness, classes):
    """|√p − code/15| ≤ 1/30; what the sum of squares is off by spreads in proportion."""
    probabilities = distributions(500, classes, sharpness)
    stored = codec.units(codec.encode(probabilities))
    assert stored.min() >= 1
    assert (stored.sum(-1, dtype=int) == TOTAL).all()
    raw = (codec.encode(probabilities) / codec.LEVELS) ** 2
    assert np.abs(raw - probabilities).max() <= 1 / codec.LEVELS + 1e-6
    expected = raw / raw.sum(-1, keepdims=True)
    largest = np.arange(classes) == raw.argmax(-1)[:, None]
    assert np.abs(stored / TOTAL - expected)[~largest].max() <= 1 / TOTAL
    assert np.abs(stored / TOTAL - expected).max() <= classes / TOTAL


def test_units_by_hand():
    codes = np.array([[15, 0, 0], [11, 11, 0], [3, 4, 0]], np.uint8)
    # 4096·(9, 16, 0)/25 = 1474.56, 2621.44, 0: rounded 1475, 2621, 1 (at least); the largest takes up the −1
    assert codec.units(codes).tolist() == [[4094, 1, 1], [2047, 2048, 1], [1475, 2620, 1]]


@given(st.lists(st.integers(0, codec.LEVELS), min_size=2, max_size=MOST_CLASSES))
def test_whatever_the_codes_they_are_a_distribution(row):
    row[0] = max(row[0], 2)  # as of any distribution over so many classes: its largest code
    stored = codec.units(np.array([row], np.uint8))[0].astype(int)
    assert stored.sum() == TOTAL
    assert stored.min() >= 1


@given(st.integers(1, 7), st.integers(1, 40), st.sampled_from([2, 3, 10]), st.integers(0, 2**32 - 1))
def test_compression_loses_nothing(members, examples, classes, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, codec.LEVELS + 1, (members, examples, classes)).astype(np.uint8)
    labels = rng.integers(0, classes, examples)
    content = codec.compress(codes, labels)
    np.testing.assert_array_equal(codec.decompress(content, members, labels, classes), codes)


def test_what_the_others_let_expect_is_worth_storing_apart():
    """On predictions as networks make them, the code of the true class mostly follows from the others."""
    labels = np.random.default_rng(1).integers(0, 10, 300)
    probabilities = np.stack([distributions(300, 10, 20, seed) for seed in range(40)])
    favoured = np.zeros((300, 10), np.float32)
    favoured[np.arange(300), labels] = 1
    codes = codec.encode(0.3 * probabilities + 0.7 * favoured)
    by_example = codes.transpose(1, 2, 0).copy()
    codec._shift(by_example, labels, -1)
    own = by_example[np.arange(300), labels]
    assert np.isin(own, [0, 1, codec.LEVELS]).mean() > 0.95


def test_damage_is_told():
    codes, labels = np.ones((2, 5, 3), np.uint8), np.zeros(5, np.int64)
    content = codec.compress(codes, labels)
    with pytest.raises(NessBenchError, match="damaged"):
        codec.decompress(content[: len(content) // 2], 2, labels, 3)
    with pytest.raises(NessBenchError, match="hold 30 codes, but 3 members, 5 examples and 3 classes make 45"):
        codec.decompress(content, 3, labels, 3)


def test_nll_survives_storage():
    """The order of magnitude of the distortion: a hundredth of a nat, less for an ensemble."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5, 3000, 10)) * 0.5 + rng.normal(size=(3000, 10)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = (probabilities.mean(0).cumsum(-1) > rng.random((3000, 1))).argmax(-1)
    stored = codec.units(codec.encode(probabilities.astype(np.float32)).reshape(-1, 10)).reshape(5, 3000, 10) / TOTAL
    rows = np.arange(3000)

    def change(stored, floats):
        return np.log(floats[rows, labels]).mean() - np.log(stored[rows, labels]).mean()

    assert abs(change(stored[0], probabilities[0])) < 2e-2
    assert abs(change(stored.mean(0), probabilities.mean(0))) < 4e-3
