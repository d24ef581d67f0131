"""How a bank stores probabilities, and what the stored values are.

1. A probability becomes one of 16 codes, round(15·√p). Square roots spend the levels where the logarithm
   needs them: at the same size the NLL is an order of magnitude closer to that of the float probabilities
   than with linear, logarithmic or logit levels.
2. The code of the true class is stored as its difference, modulo 16, from what the other codes let expect,
   since their squares should sum to 15². Codes lie [examples, classes, members], so that neighbours are
   predictions of one probability, and LZMA compresses them to about a seventh of a byte each.
3. Decoded, a distribution is integers that sum to `TOTAL` = 4096: proportional to the squared codes,
   rounded, each at least 1, and the largest takes up what rounding left.

Step 3 uses integers only, so a bank is the same on every machine. The decoded values *are* the bank:
nothing downstream is approximate, sums over members are exact and so are ties. What they lose against the
float probabilities is measured where the bank is built (`Distortion` in `manifest`). Source: ours.
"""

import lzma

import numpy as np
import numpy.typing as npt
from numba import njit

from ness_bench.ensembles.quantised import TOTAL
from ness_bench.errors import NessBenchError

NAME, LEVELS = "sqrt", 15

Codes = npt.NDArray[np.uint8]
Units = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.int64]

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 4, "lp": 0, "pb": 0}]
"""Bytes depend on the one before and are not aligned to words."""


def encode(probabilities: npt.NDArray[np.float32]) -> Codes:
    """Probabilities in [0, 1] to codes: round(15·√p). Any shape."""
    codes: Codes = np.rint(LEVELS * np.sqrt(probabilities)).astype(np.uint8)
    return codes


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def units(codes: Codes) -> Units:
    """Codes [rows, classes] to probabilities in units of 1/4096, which sum to 1.

    The first of the largest codes takes what rounding left or lacks.
    """
    rows, classes = codes.shape
    result = np.empty((rows, classes), np.uint16)
    for row in range(rows):
        squares, largest = 0, 0
        for c in range(classes):
            squares += int(codes[row, c]) ** 2
            if codes[row, c] > codes[row, largest]:
                largest = c
        rest = TOTAL
        for c in range(classes):
            result[row, c] = max((2 * TOTAL * int(codes[row, c]) ** 2 + squares) // (2 * squares), 1)
            rest -= int(result[row, c])
        result[row, largest] += rest
    return result


def _shift(codes: Codes, labels: Labels, sign: int) -> None:
    """Add ± what the other codes let expect to the code of the true class, in place.

    Args:
        codes: uint8 [examples, classes, members].
    """
    examples = np.arange(len(labels))
    own = codes[examples, labels]  # [examples, members]
    codes[examples, labels] = 0
    others = np.einsum("ecm,ecm->em", codes, codes, dtype=np.int32)
    expected = np.rint(np.sqrt(np.maximum(LEVELS**2 - others, 0))).astype(np.int32)
    codes[examples, labels] = (own + sign * expected) % (LEVELS + 1)


def compress(codes: Codes, labels: Labels) -> bytes:
    """Codes uint8 [members, examples, classes] to bytes."""
    by_example = codes.transpose(1, 2, 0).copy()
    _shift(by_example, labels, -1)
    return lzma.compress(by_example.tobytes(), lzma.FORMAT_XZ, filters=_FILTERS)


def decompress(content: bytes, members: int, labels: Labels, classes: int) -> Codes:
    """The inverse of `compress`.

    Raises:
        NessBenchError: the content is damaged, or of another shape.
    """
    try:
        raw = lzma.decompress(content, lzma.FORMAT_XZ)
    except lzma.LZMAError as error:
        raise NessBenchError(f"compressed predictions are damaged ({error}); restore the file") from None
    if len(raw) != members * len(labels) * classes:
        raise NessBenchError(
            f"compressed predictions hold {len(raw)} codes, but {members} members, {len(labels)} examples and "
            f"{classes} classes make {members * len(labels) * classes}; restore the file"
        )
    by_example = np.frombuffer(bytearray(raw), np.uint8).reshape(len(labels), classes, members)
    _shift(by_example, labels, 1)
    return np.ascontiguousarray(by_example.transpose(2, 0, 1))
