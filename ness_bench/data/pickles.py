"""Reading pickles of image batches that may come from anywhere: nothing in them runs.

A pickle is a program, which may import any module and call any function. A batch of images needs dicts, lists,
strings, numbers and arrays of numbers, and even for these it gets stand-ins: NumPy's own array type, for one, takes
bytes for addresses of Python objects if the pickle asks for an array of such.
"""

import pickle
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt


def read_mapping(file: IO[bytes]) -> dict[str, Any]:
    """The dict in a pickle, as Python 2 or 3 wrote it: keys as strings, values lists, bytes, numbers or arrays.

    Raises:
        pickle.UnpicklingError: the pickle asks for anything else, or holds no dict.
        Exception: what a damaged pickle raises is not limited to anything.
    """
    content = _Unpickler(file, encoding="bytes").load()
    if not isinstance(content, dict):
        raise pickle.UnpicklingError("it holds no dict")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value.array if type(value) is _Array else value
        for key, value in content.items()
    }


class _NumberType:
    """Stands in for `numpy.dtype(code, align, copy)`, whose state a pickle then sets."""

    __slots__ = ("dtype",)

    def __init__(self, code: "str | bytes", *_: object) -> None:
        name = code.decode("latin1") if isinstance(code, bytes) else code
        dtype = np.dtype(name)
        if dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"it asks for arrays of the type {name}, which no batch of images needs")
        self.dtype = dtype

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        orders: dict[object, Literal["<", ">", "|"]] = {"<": "<", b"<": "<", ">": ">", b">": ">", "|": "|", b"|": "|"}
        self.dtype = self.dtype.newbyteorder(orders[state[1]])  # what else a state may hold is of types of records


class _Array:
    """Stands in for an array that a pickle makes empty, and whose state it then sets."""

    __slots__ = ("array",)

    array: npt.NDArray[Any]

    def __init__(self, *_: object) -> None:
        self.array = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, of, columns_first, content = state
        self.array = np.frombuffer(content, of.dtype).reshape(shape, order="F" if columns_first else "C")


class _StandIn(NamedTuple):
    """What a pickle gets for a function or type: to be called, and with no attribute that a pickle could set."""

    makes: Any

    def __call__(self, *arguments: object) -> object:
        return self.makes(*arguments)


def _latin1(text: str, encoding: "str | bytes") -> bytes:
    """Stands in for `codecs.encode`, by which Python 3 writes bytes so that Python 2 can read them."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!s}")
    return text.encode("latin1")


def _number(of: _NumberType, content: bytes) -> object:
    """Stands in for `numpy.core.multiarray.scalar`, a number by its type and bytes."""
    (number,) = np.frombuffer(content, of.dtype)
    return number.item()


_ADMITTED = {
    ("numpy", "ndarray"): _StandIn(_Array),
    ("numpy", "dtype"): _StandIn(_NumberType),
    ("_codecs", "encode"): _StandIn(_latin1),
    **{
        (f"numpy.{core}.multiarray", name): _StandIn(makes)
        for core in ("core", "_core")  # until NumPy 1, since NumPy 2
        for name, makes in (("_reconstruct", _Array), ("scalar", _number))
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of images needs")
        return _ADMITTED[module, name]
