import io
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ness_bench.errors import NessBenchError
from ness_bench.tables.pickles import PlainUnpickler, RefusedPickle, load_in_parts, reading

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def plain(data):
    return PlainUnpickler(io.BytesIO(data)).load()


def streamed(data):
    return load_in_parts(io.BytesIO(data), lambda _: False, lambda _: None)


READERS = pytest.mark.parametrize("read", [plain, streamed])


class Call:
    """Pickled as a call of anything."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


@READERS
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_code_is_refused_by_name_and_does_not_run(tmp_path, read, protocol):
    trace = tmp_path / "trace"
    for function, name in (
        (open, r"_?io\.open"),
        (os.open, r"(posix|nt)\.open"),
        (eval, r"(__builtin__|builtins)\.eval"),
    ):
        code = f"open({str(trace)!r}, 'w')"
        arguments = (code,) if function is eval else (str(trace), os.O_CREAT if function is os.open else "w")
        with pytest.raises(RefusedPickle, match=f"^it asks for {name}, which no table of numbers needs$"):
            read(pickle.dumps({"accuracy": [91.0, Call(function, *arguments)]}, protocol))
    assert not trace.exists()


@READERS
@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'touch %s'\ntR.",
        b"(S'touch %s'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch %s'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x08touch %s\x85R.",
        b"cnumpy\ndtype.__init__.__globals__\n.",
        b"cness_bench.tables.pickles\npickle.loads\n.",
    ],
)
def test_no_other_opcode_reaches_a_name(tmp_path, read, data):
    trace = tmp_path / "trace"
    with pytest.raises(RefusedPickle, match=r"^it asks for (os\.system|numpy\.dtype\.|ness_bench\.)"):
        read(data.replace(b"%s", bytes(trace)))
    assert not trace.exists()


@READERS
def test_weights_are_recognised(read):
    with pytest.raises(RefusedPickle, match=r"torch\._utils\._rebuild_tensor_v2.*: it is an archive with weights; the"):
        read(b"ctorch._utils\n_rebuild_tensor_v2\n.")


@READERS
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("number", [np.float64(0.129306), np.float32(91.5), np.int64(-(2**60)), np.int32(7)])
def test_numpy_scalars_are_numbers(read, protocol, number):
    same, other_order = np.array([number]), np.array([number]).astype(number.dtype.newbyteorder())
    swapped = Call(number.__reduce__()[0], other_order.dtype, other_order.tobytes())
    made = read(pickle.dumps({"one": number, "again": number, "swapped": swapped}, protocol))
    assert made == {"one": same.item(), "again": same.item(), "swapped": same.item()}
    assert type(made["one"]) is type(number.item())


@READERS
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_scalar_of_objects_would_unpickle_and_is_refused(tmp_path, read, protocol):
    trace = tmp_path / "trace"
    scalar, _ = np.float64(1).__reduce__()
    inner = pickle.dumps(Call(open, str(trace), "w"), 2)
    with pytest.raises(RefusedPickle, match="NumPy scalars of the type 'O8'"):
        read(pickle.dumps(Call(scalar, np.dtype("O"), inner), protocol))
    assert not trace.exists()


@READERS
@pytest.mark.parametrize("state", [{"function": 1}, (None, {"function": 1}), (3, "|", None, None, None, -1, -1, 63)])
@pytest.mark.parametrize("name", [b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n", b"c_codecs\nencode\n"])
def test_a_pickle_cannot_change_what_later_ones_are_read_with(read, state, name):
    attributes = pickle.dumps(state, 2)[2:-1]
    with pytest.raises((AttributeError, TypeError, pickle.UnpicklingError)):
        read(name + attributes + b"b.")
    assert read(pickle.dumps(np.float64(0.25), 2)) == 0.25


@READERS
def test_what_scalars_are_made_of_is_checked(read):
    scalar, (dtype, data) = np.float64(1).__reduce__()
    for wrong in (Call(scalar, dtype, data[:-1]), Call(scalar, "f8", data), Call(scalar, dtype, 8)):
        with pytest.raises(Exception, match=r"buffer of 8 bytes|no attribute 'layout'|bytes-like"):
            read(pickle.dumps(wrong))
    with pytest.raises(RefusedPickle, match="the encoding 'zlib'"):
        read(b"c_codecs\nencode\n(S'text'\nS'zlib'\ntR.")
    with pytest.raises(RefusedPickle, match="in the byte order '\\|'"):
        read(b"cnumpy\ndtype\n(S'f8'\nI00\nI01\ntR(I3\nS'|'\ntb.")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@settings(max_examples=50)
@given(PLAIN, st.sampled_from(PROTOCOLS[1:]))
def test_plain_data_comes_as_it_is(data, protocol):
    """Protocol 0 and empty bytes aside: protocol 2 asks for the name `bytes` then, which no table does."""
    pickled = pickle.dumps([data, data, {1, 2}], protocol)
    if b"bytes" not in pickled:
        assert plain(pickled) == streamed(pickled) == [data, data, {1, 2}]


def in_parts(data):
    taken = []
    rest = load_in_parts(io.BytesIO(data), lambda made: "part" in made, lambda part: taken.append(part) or len(taken))
    return taken, rest


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])
def test_parts_are_taken_out_and_what_is_shared_between_them_stays(protocol):
    """Strings and types are pickled once, and referred to after the part that they came in is gone."""
    texts = [f"x-valid@{epoch}" for epoch in range(300)]
    parts = [{"part": n, "curve": dict.fromkeys(texts, np.float64(n)), "other": f"{n}"} for n in range(5)]
    taken, rest = in_parts(pickle.dumps({"list": texts, "parts": dict(enumerate(parts)), "end": texts[7]}, protocol))
    assert taken == parts
    assert rest == {"list": texts, "parts": {n: n + 1 for n in range(5)}, "end": texts[7]}


@pytest.mark.parametrize("shared", [[1], (1, "a"), np.float64(1), {"a": 1}])
def test_a_reference_into_a_part_that_is_gone_is_an_error(shared):
    inside = {"part": 1, "held": shared}
    with pytest.raises(pickle.UnpicklingError, match=r"refers to object .*inside an architecture that was read before"):
        in_parts(pickle.dumps([inside, shared], 4))
    with pytest.raises(pickle.UnpicklingError, match="refers to object"):
        in_parts(pickle.dumps([inside, inside], 4))


def test_references_out_of_order_are_an_error():
    part = pickle.dumps({"part": 1, "text": "b"}, 2)
    put = part.index(b"q\x01")
    with pytest.raises(pickle.UnpicklingError, match="out of order"):
        in_parts(part[:put] + b"q\x09" + part[put + 2 :])
    for reference in (b"g-1\n", b"g7\n", b"h\x63"):
        with pytest.raises(pickle.UnpicklingError, match="Memo value not found"):
            in_parts(b"(" + part[2:-1] + reference + b"t.")


def test_memory_does_not_grow_with_the_parts():
    def peak(parts):
        held = {n: {"part": n, "curve": {f"x-valid@{e}": e / 3 for e in range(2000)}} for n in range(parts)}
        data = io.BytesIO(pickle.dumps(held, 4))
        tracemalloc.start()
        try:
            load_in_parts(data, lambda made: "part" in made, lambda part: None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert (peak(30) - peak(10)) / 20 < 2.2 * 2000  # two bytes a string, and what an array leaves to grow


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps([1.0] * 100)[:-40], pickle.dumps([[]])[:-2]])
@READERS
def test_damaged_pickles_are_told_of_by_path(tmp_path, read, data):
    with (
        pytest.raises(NessBenchError, match=r"file is damaged, incomplete or no table \((\w*Error|EOFError)"),
        reading(tmp_path / "file", "table"),
    ):
        read(data)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RefusedPickle("it asks for os.system"),
            r"is refused: it asks for os\.system; nothing of it was imported or run$",
        ),
        (OSError("Invalid data stream"), r"is damaged, incomplete or no table \(OSError: Invalid data stream\)$"),
        (EOFError(), r"is damaged, incomplete or no table \(EOFError\)$"),
        (NessBenchError("told already"), "^told already$"),
    ],
)
def test_errors_of_reading_are_told_of_by_path(tmp_path, error, told):
    with pytest.raises(NessBenchError, match=told), reading(tmp_path / "file", "table"):
        raise error


def test_an_interrupted_reading_is_interrupted(tmp_path):
    with pytest.raises(KeyboardInterrupt), reading(tmp_path / "file", "table"):
        raise KeyboardInterrupt
