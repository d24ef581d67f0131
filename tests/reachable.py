"""What a task leads to."""

import gc
import types


def reachable(root):
    """Every object that references lead to from `root`, through attributes, containers and closures."""
    seen, todo = {}, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type | types.ModuleType | types.FunctionType):
            continue
        seen[id(thing)] = thing
        todo += gc.get_referents(thing)
    return list(seen.values())
