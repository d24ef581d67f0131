"""The CIFAR cell space of DARTS (Liu, Simonyan & Yang, ICLR 2019).

A cell has six states: the outputs of the two cells before it (0 and 1), and four nodes (2 to 5), each the sum of
two of the states before it, with an operation on either. Its output concatenates the nodes. An architecture is a
normal cell and a reduction cell, as the tuple of 28 operation indices on the 14 edges of the one and of the
other, `none` where an input is not chosen. There are (1·3·6·10 · 7⁸)² ≈ 10¹⁸ of them.

The published text form of an architecture is its genotype; order and names are those of the authors' code
(quark0/darts, `cnn/genotypes.py`).
"""

import ast

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError, nearest

Architecture = tuple[int, ...]
"""Operation indices, one an edge in the order of `EDGES`, of the normal cell, then of the reduction cell."""

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NONE, MAX_POOL, AVG_POOL, SKIP, SEP_CONV_3X3, SEP_CONV_5X5, DIL_CONV_3X3, DIL_CONV_5X5 = range(8)

CELLS = ("normal", "reduce")
"""In the order of the architecture."""

EDGES = tuple((source, target) for target in range(2, 6) for source in range(target))
"""(source state, target state) of each edge of a cell."""

ENTERING = tuple(tuple(edge for edge, (_, end) in enumerate(EDGES) if end == target) for target in range(2, 6))
"""The edges that enter each node."""

_CONCATENATED = ("range(2, 6)", "[2, 3, 4, 5]", "(2, 3, 4, 5)")
_EXAMPLE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=range(2, 6), "
    "reduce=[...], reduce_concat=range(2, 6))"
)


def cell_of(architecture: Architecture, *, reduction: bool) -> Architecture:
    """The operations of one of the two cells."""
    return architecture[len(EDGES) :] if reduction else architecture[: len(EDGES)]


def require_architecture(architecture: Architecture) -> None:
    """Refuse what is no architecture, such as a path that takes all 14 edges.

    Raises:
        NessBenchError: not 28 operation indices, or a node without exactly two inputs.
    """
    count = len(CELLS) * len(EDGES)
    if len(architecture) != count or not all(0 <= operation < len(OPERATIONS) for operation in architecture):
        raise NessBenchError(
            f"operation indices {architecture} were given; an architecture has {count}, from 0 to {len(OPERATIONS) - 1}"
        )
    for reduction, name in enumerate(CELLS):
        cell = cell_of(architecture, reduction=bool(reduction))
        for node, edges in enumerate(ENTERING, start=2):
            inputs = sum(cell[edge] != NONE for edge in edges)
            if inputs != 2:
                raise NessBenchError(
                    f"node {node} of the {name} cell has {inputs} input(s), but needs 2; set the operations of the "
                    f'other edges to {NONE} ("none"), or `derive` an architecture from weights'
                )


def random_architecture(rng: np.random.Generator) -> Architecture:
    """An architecture drawn uniformly: two different inputs of every node, an operation other than `none` on each."""
    architecture = np.full((len(CELLS), len(EDGES)), NONE)
    for cell in architecture:
        for edges in ENTERING:
            cell[rng.choice(edges, 2, replace=False)] = rng.integers(1, len(OPERATIONS), 2)
    return tuple(architecture.ravel().tolist())


def derive(weights: npt.ArrayLike) -> Architecture:
    """The architecture of the strongest operations, by the published rule (section 2.4).

    An edge is as strong as the strongest of its operations, `none` left out; each node keeps its two strongest
    edges, with that operation. Of equals, the first wins, as in the authors' code.

    Args:
        weights: of each operation on each edge, [28, 8]: the softmax of α, not α itself, since edges are compared.

    Raises:
        NessBenchError: another shape, or a weight that is no number.
    """
    array = np.asarray(weights, np.float64)
    shape = (len(CELLS) * len(EDGES), len(OPERATIONS))
    if array.shape != shape or np.isnan(array).any():
        given = f"of shape {array.shape}" if array.shape != shape else "of which some are NaN"
        raise NessBenchError(f"weights {given} were given; an architecture is derived from {shape} numbers")
    strength, strongest = array[:, 1:].max(1), 1 + array[:, 1:].argmax(1)
    architecture = np.full(len(array), NONE)
    for first in (0, len(EDGES)):
        for edges in ENTERING:
            rows = first + np.array(edges)
            kept = rows[np.argsort(-strength[rows], kind="stable")[:2]]
            architecture[kept] = strongest[kept]
    return tuple(architecture.tolist())


def to_string(architecture: Architecture) -> str:
    """The published text form, the inputs of a node in the order of the edges.

    Raises:
        NessBenchError: it is no architecture.
    """
    require_architecture(architecture)
    parts = []
    for reduction, name in enumerate(CELLS):
        cell = cell_of(architecture, reduction=bool(reduction))
        inputs = [
            (OPERATIONS[operation], source)
            for operation, (source, _) in zip(cell, EDGES, strict=True)
            if operation != NONE
        ]
        parts.append(f"{name}={inputs}, {name}_concat=range(2, 6)")
    return f"Genotype({', '.join(parts)})"


def parse(text: str) -> Architecture:
    """The architecture that a genotype names, which is read, not evaluated.

    A node's two inputs may come in any order.

    Raises:
        NessBenchError: the text is malformed, or names what is not in the space; the message says what.
    """
    fields = _fields(text)
    architecture: list[int] = []
    for name in CELLS:
        concatenated = ast.unparse(fields[f"{name}_concat"])
        if concatenated not in _CONCATENATED:
            raise NessBenchError(
                f"genotype: {name}_concat is {concatenated}, but a cell of this space concatenates all of its nodes; "
                f"write {_CONCATENATED[0]}"
            )
        architecture += _cell(name, fields[name])
    return tuple(architecture)


def _fields(text: str) -> dict[str, ast.expr]:
    """The arguments of a genotype by name, unread."""
    names = {field for name in CELLS for field in (name, f"{name}_concat")}
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # all that Python's parser raises on odd text
        call = None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Genotype" and not call.args:
        fields = {argument.arg: argument.value for argument in call.keywords if argument.arg is not None}
        if set(fields) == names and len(call.keywords) == len(names):
            return fields
    raise NessBenchError(f"genotype {text!r} cannot be read; write it like {_EXAMPLE}")


def _cell(name: str, inputs: ast.expr) -> list[int]:
    """The operation on each edge of a cell, from the list of its nodes' inputs."""
    try:
        pairs = [(str(operation), source) for operation, source in ast.literal_eval(inputs)]
    except (ValueError, TypeError):
        raise NessBenchError(
            f"genotype: {name} is {ast.unparse(inputs)}, but must list pairs of an operation and a state; "
            f"write it like {_EXAMPLE}"
        ) from None
    if len(pairs) != 2 * len(ENTERING):
        raise NessBenchError(
            f"genotype: {name} lists {len(pairs)} inputs, but {len(ENTERING)} nodes have 2 each; "
            f"list {2 * len(ENTERING)}, node after node"
        )
    cell = [NONE] * len(EDGES)
    for position, (operation, source) in enumerate(pairs):
        node, edges = 2 + position // 2, ENTERING[position // 2]
        where = f"genotype: node {node} of {name}"
        if operation not in OPERATIONS[1:]:
            raise NessBenchError(
                f'{where} has the unknown operation "{operation}"; allowed: '
                f"{', '.join(OPERATIONS[1:])}{nearest(operation, OPERATIONS[1:])}"
            )
        if type(source) is not int or not 0 <= source < len(edges):
            raise NessBenchError(f"{where} reads state {source!r}, but may read 0 to {len(edges) - 1} only")
        if cell[edges[source]] != NONE:
            raise NessBenchError(f"{where} reads state {source} twice; name two different states")
        cell[edges[source]] = OPERATIONS.index(operation)
    return cell


DARTS_V1 = parse(
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
    "reduce_concat=[2, 3, 4, 5])"
)
"""What first-order DARTS found on CIFAR-10. Source: quark0/darts, `cnn/genotypes.py`."""

DARTS_V2 = parse(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)
"""What second-order DARTS found on CIFAR-10. Source: quark0/darts, `cnn/genotypes.py`."""
