"""The cell space of NAS-Bench-201 (Dong & Yang, ICLR 2020), also NATS-Bench's topology space.

A cell is a directed acyclic graph of 4 nodes. Node 0 is the cell's input, node 3 its output, and each
node is the sum of its incoming edges; each of the 6 edges carries one of 5 operations. An architecture
is the tuple of its 6 operation indices, in the order of `EDGES`.

Three notions of "the same network" are told apart:

- the **string** (15,625 of them);
- the published **isomorphism** rule (6,466 classes), which treats a sum with a zero term as different
  from the sum without it;
- the **functional** class (5,044), ours: networks that compute the same function of their input and their
  parameters, up to rounding. Edges on no input-to-output path do nothing, skip connections and average
  pools distribute over sums, and a convolution used twice differs from two convolutions used once. One
  training serves a class.
"""

import itertools
import random
import re
from collections.abc import Sequence
from functools import cache, lru_cache

from ness_bench.errors import NessBenchError, nearest

Architecture = tuple[int, ...]
"""Operation indices, one an edge in the order of `EDGES`."""

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV_1X1, CONV_3X3, POOL = range(5)

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source node, target node) of each edge, in the order of the architecture string."""

RESNET: Architecture = (CONV_3X3, NONE, CONV_3X3, SKIP, NONE, SKIP)
"""The cell that is a residual block: the published comparison point."""

_INPUT = -1
"""The origin of the term that is the cell's input; the others are edges."""

_EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def to_string(architecture: Architecture) -> str:
    """The published string, such as ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|…|``."""
    nodes: dict[int, list[str]] = {1: [], 2: [], 3: []}
    for operation, (source, target) in zip(architecture, EDGES, strict=True):
        nodes[target].append(f"{OPERATIONS[operation]}~{source}")
    return "+".join(f"|{'|'.join(edges)}|" for edges in nodes.values())


def parse(string: str) -> Architecture:
    """The architecture that a published string names.

    Raises:
        NessBenchError: the string is malformed; the message names the first edge at fault.
    """
    nodes = string.strip().split("+")
    if len(nodes) != 3:
        raise NessBenchError(
            f'architecture "{string}" has {len(nodes)} nodes joined by "+", but needs 3; write it like "{_EXAMPLE}"'
        )
    operations = []
    for target, node in enumerate(nodes, start=1):
        edges = re.fullmatch(r"\|(.*)\|", node)
        parts = edges[1].split("|") if edges else []
        if len(parts) != target:
            raise NessBenchError(
                f'architecture "{string}": node {target} reads "{node}", but needs {target} edge(s) '
                f'between "|" bars; write it like "{_EXAMPLE}"'
            )
        for source, part in enumerate(parts):
            name, _, origin = part.partition("~")
            if origin != str(source):
                raise NessBenchError(
                    f'architecture "{string}": edge {target}<-{source} reads "{part}", but must end in "~{source}"'
                )
            if name not in OPERATIONS:
                raise NessBenchError(
                    f'architecture "{string}": edge {target}<-{source} has the unknown operation "{name}"; '
                    f"allowed: {', '.join(OPERATIONS)}{nearest(name, list(OPERATIONS))}"
                )
            operations.append(OPERATIONS.index(name))
    return tuple(operations)


_NASLIB_OPERATIONS = (SKIP, NONE, CONV_3X3, CONV_1X1, POOL)
_NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def from_naslib(indices: Sequence[int]) -> Architecture:
    """The architecture that NASLib's six operation indices mean, which number operations and edges in another order.

    Raises:
        NessBenchError: not six numbers from 0 to 4.
    """
    _require_indices(indices)
    by_edge = {edge: _NASLIB_OPERATIONS[index] for edge, index in zip(_NASLIB_EDGES, indices, strict=True)}
    return tuple(by_edge[edge] for edge in EDGES)


def from_indices(indices: Sequence[int]) -> Architecture:
    """The architecture of six operation indices in the order of `OPERATIONS` and `EDGES`.

    Raises:
        NessBenchError: not six numbers from 0 to 4.
    """
    _require_indices(indices)
    return tuple(indices)


def _require_indices(indices: Sequence[int]) -> None:
    if len(indices) != len(EDGES) or not all(0 <= index < len(OPERATIONS) for index in indices):
        raise NessBenchError(
            f"operation indices {tuple(indices)} were given; an architecture has {len(EDGES)}, from 0 to "
            f"{len(OPERATIONS) - 1}"
        )


@lru_cache(maxsize=1)
def architectures() -> tuple[Architecture, ...]:
    """All 15,625 architectures in the published index order.

    The order is that of the NAS-Bench-201 files: the Cartesian product of operations, shuffled by
    Python's generator with seed 88 (as in the authors' `AutoDL-Projects`).
    """
    order = list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))
    random.Random(88).shuffle(order)
    return tuple(order)


@lru_cache(maxsize=1)
def _indices() -> dict[Architecture, int]:
    return {architecture: index for index, architecture in enumerate(architectures())}


def index(architecture: Architecture) -> int:
    """The published index (0..15,624) of an architecture."""
    return _indices()[architecture]


def neighbours(architecture: Architecture) -> list[Architecture]:
    """The 24 architectures that differ in the operation of exactly one edge."""
    return [
        (*architecture[:edge], operation, *architecture[edge + 1 :])
        for edge, current in enumerate(architecture)
        for operation in range(len(OPERATIONS))
        if operation != current
    ]


@cache
def prune(architecture: Architecture) -> Architecture:
    """The same function with `none` on every edge that lies on no path from input to output."""
    fed, used = {0}, {3}
    for operation, (source, target) in zip(architecture, EDGES, strict=True):  # sorted by target
        if operation != NONE and source in fed:
            fed.add(target)
    for source in (2, 1, 0):
        for operation, edge in zip(architecture, EDGES, strict=True):
            if operation != NONE and edge[0] == source and edge[1] in used:
                used.add(source)
    return tuple(
        operation if source in fed and target in used else NONE
        for operation, (source, target) in zip(architecture, EDGES, strict=True)
    )


def isomorphism_string(architecture: Architecture) -> str:
    """The published unique string: equal for architectures that NAS-Bench-201 counts as isomorphic.

    This is `Structure.to_unique_str(consider_zero=True)` of the official API: skip connections pass
    their input's expression on, and a zero (`#`) stays a term of the sum that it is added to.
    """
    nodes = {0: "0"}
    operations = iter(architecture)
    for target in (1, 2, 3):
        terms = []
        for source in range(target):
            operation = next(operations)
            if operation == NONE or nodes[source] == "#":
                terms.append("#")
            elif operation == SKIP:
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{OPERATIONS[operation]}")
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


def functional_form(architecture: Architecture) -> tuple[object, ...]:
    """A normal form of the cell's function: equal within a functional class, and only there.

    Skip connections and average pools are linear, so every node is a sum of terms: the cell's input or the
    output of a convolution, each pooled some times. A convolution is itself, with weights of its own, however
    often its output is used. The form lists the sum at the output and at every convolution's input, the
    convolutions numbered so that the result is least. Source: ours.
    """
    architecture = prune(architecture)
    sums: dict[int, list[tuple[int, int]]] = {0: [(_INPUT, 0)], 1: [], 2: [], 3: []}  # (origin, pools)
    for edge, (operation, (source, target)) in enumerate(zip(architecture, EDGES, strict=True)):
        if operation in (SKIP, POOL):
            sums[target] += [(origin, pools + (operation == POOL)) for origin, pools in sums[source]]
        elif operation != NONE:
            sums[target].append((edge, 0))
    convolutions = [edge for edge, operation in enumerate(architecture) if operation in (CONV_1X1, CONV_3X3)]

    def expression(origin: int) -> tuple[object, ...]:
        """What a term computes, convolutions with the same operation and input taken for one."""
        if origin == _INPUT:
            return ()
        terms = sorted((expression(earlier), pools) for earlier, pools in sums[EDGES[origin][0]])
        return (architecture[origin], *terms)

    twins = [list(group) for _, group in itertools.groupby(sorted(convolutions, key=expression), expression)]

    def numbered(order: tuple[tuple[int, ...], ...]) -> tuple[object, ...]:
        number = {edge: position for position, edge in enumerate((_INPUT, *itertools.chain(*order)))}

        def terms(node: int) -> tuple[tuple[int, int], ...]:
            return tuple(sorted((number[origin], pools) for origin, pools in sums[node]))

        return (terms(3), *((architecture[edge], terms(EDGES[edge][0])) for edge in itertools.chain(*order)))

    return min(numbered(order) for order in itertools.product(*map(itertools.permutations, twins)))


@lru_cache(maxsize=1)
def functional_classes() -> dict[Architecture, Architecture]:
    """Every architecture's canonical one: the least tuple of its functional class.

    The least tuple is always pruned, since `none` is operation 0. There are 5,044 distinct values,
    one of them, `(0, 0, 0, 0, 0, 0)`, the dead class of 341 strings.
    """
    least: dict[Architecture, Architecture] = {}
    first: dict[tuple[object, ...], Architecture] = {}
    for pruned in sorted(set(map(prune, architectures()))):
        least[pruned] = first.setdefault(functional_form(pruned), pruned)
    return {architecture: least[prune(architecture)] for architecture in architectures()}


def canonical(architecture: Architecture) -> Architecture:
    """The representative of an architecture's functional class."""
    return functional_classes()[architecture]
