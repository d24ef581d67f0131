"""ε as people write it: "2/255, 8/255"."""

import re

from ness_bench.errors import NessBenchError

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_EPSILON = re.compile(rf"({_NUMBER})(?:\s*/\s*({_NUMBER}))?")


def epsilons_of(text: str) -> tuple[float, ...]:
    """Numbers and fractions, separated by commas, in the order given.

    Raises:
        NessBenchError: one of them is neither, is negative, or divides by 0.
    """
    epsilons = []
    for part in text.split(","):
        found = _EPSILON.fullmatch(part.strip())
        divisor = float(found[2] or 1) if found else 0.0
        if found is None or divisor == 0:
            raise NessBenchError(
                f'"{part.strip()}" in "{text}" is no ε; give numbers or fractions of 0 or more, such as 2/255,8/255,0.1'
            )
        epsilons.append(float(found[1]) / divisor)
    return tuple(epsilons)
