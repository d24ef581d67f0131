from collections import Counter
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ness_bench.errors import NessBenchError
from ness_bench.spaces.darts import (
    DARTS_V1,
    DARTS_V2,
    EDGES,
    ENTERING,
    NONE,
    OPERATIONS,
    derive,
    parse,
    random_architecture,
    require_architecture,
    to_string,
)

architectures = st.integers(0, 2**32).map(lambda seed: random_architecture(np.random.default_rng(seed)))

V2 = (  # the edges that the published genotype names, and the operations on them
    {(0, 2): 4, (1, 2): 4, (0, 3): 4, (1, 3): 4, (0, 4): 3, (1, 4): 4, (0, 5): 3, (2, 5): 6},
    {(0, 2): 1, (1, 2): 1, (1, 3): 1, (2, 3): 3, (0, 4): 1, (2, 4): 3, (1, 5): 1, (2, 5): 3},
)


def test_the_space_is_the_published_one():
    assert len(EDGES) == 14
    assert EDGES[:5] == ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    cells = prod(comb(len(edges), 2) * (len(OPERATIONS) - 1) ** 2 for edges in ENTERING)
    assert cells == prod((k + 1) * k // 2 for k in (1, 2, 3, 4)) * 7**8  # the paper's complexity analysis: about 10⁹


def test_published_genotypes_are_read():
    for first, cell in zip((0, 14), V2, strict=True):
        assert {EDGES[e]: o for e, o in enumerate(DARTS_V2[first : first + 14]) if o != NONE} == cell
    assert to_string(DARTS_V1) == (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
        "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
        "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('max_pool_3x3', 0), ('skip_connect', 2), ('avg_pool_3x3', 0), ('skip_connect', 2)], "
        "reduce_concat=range(2, 6))"
    )


@given(architectures)
def test_text_and_value_are_the_same(architecture):
    require_architecture(architecture)
    assert parse(to_string(architecture)) == architecture


def test_architectures_are_drawn_uniformly():
    rng = np.random.default_rng(0)
    drawn = np.array([random_architecture(rng) for _ in range(4_000)])
    for cell in (drawn[:, :14], drawn[:, 14:]):
        for edges in ENTERING:
            taken = Counter(map(tuple, cell[:, edges] != NONE))
            expected = 4_000 / comb(len(edges), 2)
            assert len(taken) == comb(len(edges), 2)
            assert all(abs(count - expected) < 5 * expected**0.5 for count in taken.values())
    operations = np.bincount(drawn[drawn != NONE], minlength=8)[1:]
    assert operations.sum() == 16 * 4_000
    assert abs(operations / operations.mean() - 1).max() < 0.05


@given(st.integers(0, 2**32), st.booleans())
def test_derive_follows_the_published_rule(seed, with_ties):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (28, 8)) / 4 if with_ties else rng.dirichlet(np.ones(8), 28)
    expected = [NONE] * 28
    for first in (0, 14):
        start = first
        for inputs in (2, 3, 4, 5):
            best = []  # of each edge: strength, edge, operation
            for edge in range(start, start + inputs):
                operation = max(range(1, 8), key=lambda o, edge=edge: weights[edge][o])
                best.append((-weights[edge][operation], edge, operation))
            for _, edge, operation in sorted(best)[:2]:
                expected[edge] = operation
            start += inputs
    assert derive(weights) == tuple(expected)


@given(architectures)
def test_derive_inverts_one_hot(architecture):
    assert derive(np.eye(8)[list(architecture)]) == architecture


@pytest.mark.parametrize("weights", [np.ones((14, 8)), np.full((28, 8), np.nan)])
def test_what_is_no_weights_is_refused(weights):
    with pytest.raises(NessBenchError, match=r"\(14, 8\)|NaN"):
        derive(weights)


TEXT = to_string(DARTS_V2)
FIRST = "normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("('skip_connect', 0)", "('skip_conect', 0)", "node 4 of normal .*skip_conect.*did you mean"),
        ("('skip_connect', 0)", "('none', 0)", "node 4 of normal .*none"),
        (FIRST, "normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 2), ", "node 2 of normal reads state 2.* 0 to 1"),
        (FIRST, "normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', -1), ", "reads state -1"),
        (FIRST, "normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', True), ", "reads state True"),
        (FIRST, "normal=[('sep_conv_3x3', 1), ('max_pool_3x3', 1), ", "node 2 of normal reads state 1 twice"),
        (FIRST, "normal=[('sep_conv_3x3', 0), ", "normal lists 7 inputs.* 8"),
        (FIRST, "normal=[3, ", "normal is .* pairs"),
        (FIRST, "normal=[('sep_conv_3x3', 0), print('x'), ", "normal is .* pairs"),
        ("normal_concat=range(2, 6)", "normal_concat=range(3, 6)", "normal_concat is range"),
        (", reduce_concat=range(2, 6)", "", "cannot be read"),
        ("reduce_concat=range(2, 6)", "reduce_concat=range(2, 6), reduce_concat=range(2, 6)", "cannot be read"),
        ("Genotype(", "print(", "cannot be read"),
        ("Genotype(", "Genotype((", "cannot be read"),
        (TEXT, "(" * 10_000, "cannot be read"),
    ],
)
def test_a_wrong_genotype_is_told(old, new, message):
    assert old in TEXT
    with pytest.raises(NessBenchError, match=message):
        parse(TEXT.replace(old, new, 1))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [(DARTS_V2[:14], "28"), ((8, *DARTS_V2[1:]), "0 to 7"), ((0, *DARTS_V2[1:]), "node 2 of the normal cell has 1")],
)
def test_what_is_no_architecture_is_refused(architecture, message):
    with pytest.raises(NessBenchError, match=message):
        to_string(architecture)
