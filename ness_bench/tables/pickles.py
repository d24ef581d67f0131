"""Reading pickles that may come from anywhere: nothing in them runs.

A pickle is a program, which may import any module and call any function. A table of numbers needs the few names below,
and even for these it gets stand-ins: NumPy's `scalar`, for one, unpickles its argument if the type is "object".
"""

import pickle
import struct
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

from ness_bench.errors import NessBenchError


class RefusedPickle(pickle.UnpicklingError):
    """A pickle asks for what no table of numbers needs."""


class _StandIn(NamedTuple):
    """What a pickle gets for a function: to be called, and with no attribute that a pickle could set."""

    function: Callable[..., object]

    def __call__(self, *arguments: object) -> object:
        return self.function(*arguments)


class _NumberType:
    """What a pickle gets for `numpy.dtype(code, align, copy)`, whose state it then sets."""

    LAYOUTS: ClassVar = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}

    def __init__(self, code: str, align: object, copy: object) -> None:
        if code not in self.LAYOUTS:
            raise RefusedPickle(f"it asks for NumPy scalars of the type {code!r}, which no table of numbers needs")
        self.layout = "<" + self.LAYOUTS[code]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">"):
            raise RefusedPickle(f"it asks for NumPy scalars in the byte order {state[1]!r}")
        self.layout = state[1] + self.layout[1:]


def _scalar(of: _NumberType, data: bytes) -> object:
    """What a pickle gets from `numpy.core.multiarray.scalar`: a number, by its type and bytes."""
    (number,) = struct.unpack(of.layout, data)
    return number


def _encode(text: str, encoding: str) -> bytes:
    """What a pickle gets from `_codecs.encode`, by which protocol 2 writes bytes."""
    if encoding != "latin1":
        raise RefusedPickle(f"it asks for the encoding {encoding!r}, which no table of numbers needs")
    return text.encode("latin1")


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): dict,  # ordered as well
    ("numpy", "dtype"): _StandIn(_NumberType),
    ("numpy.core.multiarray", "scalar"): _StandIn(_scalar),
    ("numpy._core.multiarray", "scalar"): _StandIn(_scalar),  # since NumPy 2
    ("_codecs", "encode"): _StandIn(_encode),
    ("__builtin__", "set"): set,  # protocol 2
    ("builtins", "set"): set,  # protocol 3; later ones need no name
}


def _stand_in(module: str, name: str) -> Any:
    if (module, name) in _NAMES:
        return _NAMES[module, name]
    hint = ""
    if module.partition(".")[0] == "torch":
        hint = (
            ": it is an archive with weights; the tables without are NATS-tss-v1_0-3ffb9-simple and "
            "NAS-Bench-201-v1_1-096897.pth"
        )
    raise RefusedPickle(f"it asks for {module}.{name}, which no table of numbers needs{hint}")


class PlainUnpickler(pickle.Unpickler):
    """Makes dicts, lists, tuples, sets, strings, bytes and numbers; a pickle that asks for more could run any code."""

    def find_class(self, module: str, name: str) -> Any:
        return _stand_in(module, name)


IsPart = Callable[[dict[Any, Any]], bool]
Take = Callable[[dict[Any, Any]], object]


def load_in_parts(file: IO[bytes], is_part: IsPart, take: Take) -> Any:
    """What a pickle holds that may be larger than memory, made of what `PlainUnpickler` makes.

    Args:
        file: read from where it stands.
        is_part: whether a dict, whole by now, is a part to be taken out; asked of every dict of two items or more.
        take: called with each part; what it returns stands in the part's place.

    Raises:
        pickle.UnpicklingError: something after a part refers to the inside of it. Reading damaged data may raise
            any error.
    """
    return _PartsUnpickler(file, is_part, take).load()


class _PartsUnpickler(pickle._Unpickler):
    """The standard library's unpickler in Python, which can be interrupted at a dict."""

    memo: "_Memo"
    stack: list[Any]

    def __init__(self, file: IO[bytes], is_part: IsPart, take: Take) -> None:
        super().__init__(file)
        self.memo = _Memo()
        self.is_part, self.take = is_part, take

    def find_class(self, module: str, name: str) -> Any:
        return _stand_in(module, name)

    def memoize(self) -> None:
        self.memo[self.memo.before + len(self.memo)] = self.stack[-1]

    def set_items(self) -> None:
        pickle._Unpickler.dispatch[pickle.SETITEMS[0]](self)  # type: ignore[arg-type]
        if isinstance(self.stack[-1], dict) and self.is_part(self.stack[-1]):
            self.stack[-1] = self.take(self.stack[-1])
            self.memo.let_go()

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.MEMOIZE[0]: memoize,
        pickle.SETITEMS[0]: set_items,
    }


class _Memo(dict[int, object]):
    """What a pickle may refer back to, by the order in which it was made, but for what was let go of.

    The official tables hold 10,000 strings an architecture, few of them different, and may refer to any of them later:
    when the rest is let go of they become codes of two bytes, as do types and functions.
    """

    def __init__(self) -> None:
        self.before = 0  # how many things are no longer in the dict
        self._codes = array("H")  # of these; 0 for what was let go of
        self._code_of: dict[object, int] = {}
        self._lasting: list[object] = [None]  # by code

    def let_go(self) -> None:
        if list(self) != list(range(self.before, self.before + len(self))):
            raise pickle.UnpicklingError("it numbers what it refers to out of order")
        self._codes.extend([self._code(made) for made in self.values()])
        self.before = len(self._codes)
        self.clear()

    def _code(self, made: object) -> int:
        if not isinstance(made, (str, type, _StandIn, _NumberType)):
            return 0
        if made not in self._code_of:
            self._code_of[made] = len(self._lasting)
            self._lasting.append(made)
        return self._code_of[made]

    def __missing__(self, order: int) -> object:
        if not 0 <= order < self.before:
            raise KeyError(order)
        if not self._codes[order]:
            raise pickle.UnpicklingError(f"it refers to object {order}, inside an architecture that was read before")
        return self._lasting[self._codes[order]]


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Tell of whatever goes wrong in reading a file that may hold anything.

    Args:
        path: of the file.
        what: it should be, for people.

    Raises:
        NessBenchError: instead of any other error.
    """
    try:
        yield
    except NessBenchError:
        raise
    except RefusedPickle as error:
        raise NessBenchError(f"{path} is refused: {error}; nothing of it was imported or run") from None
    except Exception as error:  # damaged pickles raise any
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise NessBenchError(f"{path} is damaged, incomplete or no {what} ({reason})") from error
