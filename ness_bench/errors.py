"""The one error that users meet: bad input, told in a sentence they can act on."""

from collections.abc import Sequence


class NessBenchError(Exception):
    """Bad input.

    The message says what was given, what is allowed and what to do. The command line prints it and
    exits with code 2; nothing has been lost or half-written by then.
    """


def nearest(given: str, known: Sequence[str]) -> str:
    """`; did you mean "x"?` for a near miss of `given` among `known`, else an empty string."""
    from difflib import get_close_matches

    matches = get_close_matches(given, known, n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""
