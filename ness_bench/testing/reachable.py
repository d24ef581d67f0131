"""What an object leads to."""

import gc
import types
from functools import _lru_cache_wrapper

_NOT_ENTERED = (type, types.ModuleType, types.FunctionType, _lru_cache_wrapper)


def reachable(root: object) -> list[object]:
    """Every object that references lead to from `root`, through attributes, containers and closures.

    Classes, modules and functions, also those with a cache, are not entered: from there, everything can be reached.
    """
    seen: dict[int, object] = {}
    todo = [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, _NOT_ENTERED):
            continue
        seen[id(thing)] = thing
        todo += gc.get_referents(thing)
    return list(seen.values())
