"""Pickles of images are read, whoever wrote them; nothing in them runs, and no memory is read that is not theirs."""

import codecs
import io
import os
import pickle

import numpy as np
import pytest
from image_files import Attack, python_2, python_3

from ness_bench.data.pickles import read_mapping


@pytest.mark.parametrize("as_pickle", [python_2, python_3, pickle.dumps])
def test_what_batches_hold_is_read(as_pickle):
    rng = np.random.default_rng(0)
    content = {
        b"data": rng.integers(0, 256, (3, 4), np.uint8),
        b"columns": np.asfortranarray(rng.integers(0, 256, (3, 4), np.uint8)),
        b"mean": rng.random(4).astype(">f4"),
        b"labels": [1, 2, 3],
        b"names": [b"a", b"b"],
        b"long": bytes(range(256)) * 3,
    }
    read = read_mapping(io.BytesIO(as_pickle(content)))
    assert list(read) == [key.decode() for key in content]
    for key, expected in content.items():
        found = read[key.decode()]
        if isinstance(expected, np.ndarray):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected


@pytest.mark.parametrize("as_pickle", [python_2, python_3])
def test_a_number_of_numpy_becomes_one_of_python(as_pickle):
    (label,) = read_mapping(io.BytesIO(as_pickle({b"labels": [np.int64(7)]})))["labels"]
    assert (type(label), label) == (int, 7)


def address(something):
    """An array of Python objects made from their addresses, which NumPy itself would make."""
    return Attack(np.ndarray, (1,), np.dtype("O"), np.array([id(something)]).tobytes())


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Attack(os.system, "touch trace"), "it asks for (posix|nt).system"),
        (Attack(eval, "open('trace', 'w')"), "it asks for .*eval"),
        (Attack(codecs.encode, "eval(1)", "rot13"), "it asks for the encoding rot13"),
        (Attack(np.load, "trace"), "it asks for numpy.*load"),
        (np.array([{}], object), "it asks for arrays of the type O"),
        (np.zeros(1, [("a", object)]), "it asks for arrays of the type V"),
        (np.array(["text"]), "it asks for arrays of the type U"),
        (address("x"), "it asks for arrays of the type O"),
    ],
    ids=["os.system", "eval", "rot13", "np.load", "objects", "records", "strings", "addresses"],
)
def test_what_asks_for_more_is_refused(tmp_path, monkeypatch, protocol, value, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=message):
        read_mapping(io.BytesIO(pickle.dumps({b"data": value}, protocol=protocol)))
    assert not list(tmp_path.iterdir())


def test_stand_ins_cannot_be_changed():
    change = b"\x80\x02c_codecs\nencode\nN}X\x05\x00\x00\x00makesK\x01s\x86b."  # sets `makes` of what it got to 1
    with pytest.raises(AttributeError, match="can't set attribute"):
        read_mapping(io.BytesIO(change))


def test_a_list_is_no_batch():
    with pytest.raises(pickle.UnpicklingError, match="it holds no dict"):
        read_mapping(io.BytesIO(python_3([1])))
