"""How a bank stores a probability in one byte: the square root, rounded to 1/255.

Square roots spend the levels where the logarithm needs them: at the same size the NLL is an order of
magnitude closer to that of the float probabilities than with linear, logarithmic or logit levels. The
decoded, renormalised values *are* the bank, so nothing downstream is approximate.
"""

import numpy as np
import numpy.typing as npt

NAME, LEVELS = "sqrt", 255


def encode(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Probabilities in [0, 1] to codes: round(255·√p). Any shape."""
    codes: npt.NDArray[np.uint8] = np.rint(LEVELS * np.sqrt(probabilities)).astype(np.uint8)
    return codes


def decode(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Codes [..., classes] to probabilities that sum to 1 over the last axis."""
    squares = codes.astype(np.float32) ** 2  # at most 65,025: exact in float32, as are their sums
    probabilities: npt.NDArray[np.float32] = squares / squares.sum(-1, keepdims=True)
    return probabilities


def rounding_bound(classes: int) -> float:
    """How far Σ(code/255)² of an encoded distribution can be from 1.

    Each root is off by at most h = 1/510, so the sum is off by at most 2h·Σ√p + classes·h², and
    Σ√p ≤ √classes.
    """
    half_step = 1 / (2 * LEVELS)
    return float(2 * half_step * np.sqrt(classes) + classes * half_step**2)
