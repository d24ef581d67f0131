import bz2
import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ness_bench.errors import NessBenchError
from ness_bench.spaces import nas_bench_201 as space

operations = st.integers(0, 4)
architectures = st.tuples(*[operations] * 6)


class NoGlobals(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name}")


@given(architectures)
def test_strings_round_trip(architecture):
    assert space.parse(space.to_string(architecture)) == architecture


def test_published_rows():
    """Rows of the published index that are named in the literature."""
    known = {1462: (3,) * 6, 1835: (1,) * 6, 1651: (0,) * 6, 11472: space.RESNET}
    for index, architecture in known.items():
        assert space.architectures()[index] == architecture
        assert space.index(architecture) == index
    assert len(set(space.architectures())) == 15_625


def test_published_order_is_that_of_the_official_meta_file(shared):
    file = shared / "data" / "nats-sample" / "NATS-tss-v1_0-3ffb9-simple" / "meta.pickle.pbz2"
    with bz2.open(file) as content:
        published = NoGlobals(content).load()["meta_archs"]
    assert [space.to_string(a) for a in space.architectures()] == published


def test_class_counts():
    """6,466 is published (Dong & Yang, 2020); so are the 341 architectures without a path."""
    assert len({space.isomorphism_string(a) for a in space.architectures()}) == 6_466
    sizes = Counter(space.functional_classes().values())
    assert len(sizes) == 5_044
    assert sizes[(0,) * 6] == 341


def outputs(architecture):
    """What the cell computes with each way to hand out weights to its convolutions: functions by their values.

    Convolutions are random nonlinear maps of a signal, pools one linear map.
    """
    rng = np.random.default_rng(0)
    signal, pool = rng.normal(size=8), rng.normal(size=(8, 8)) / 3
    weights = {(o, k): rng.normal(size=(8, 8)) for o in (space.CONV_1X1, space.CONV_3X3) for k in range(6)}
    edges = [[e for e, o in enumerate(architecture) if o == kind] for kind in (space.CONV_1X1, space.CONV_3X3)]
    found = set()
    for order in itertools.product(*map(itertools.permutations, edges)):
        place = {edge: k for of_kind in order for k, edge in enumerate(of_kind)}
        nodes = [signal, *np.zeros((3, 8))]
        for edge, (operation, (source, target)) in enumerate(zip(architecture, space.EDGES, strict=True)):
            if operation == space.SKIP:
                nodes[target] = nodes[target] + nodes[source]
            elif operation == space.POOL:
                nodes[target] = nodes[target] + pool @ nodes[source]
            elif operation != space.NONE:
                nodes[target] = nodes[target] + np.tanh(weights[operation, place[edge]] @ nodes[source] + 0.1)
        found.add(tuple(nodes[3].round(9)))
    return frozenset(found)


def test_functional_classes_are_exactly_the_functions():
    """Against evaluating every cell with every assignment of weights; up to four convolutions, for speed."""
    rng = np.random.default_rng(1)
    few = [space.prune(a) for a in space.architectures() if sum(o in (2, 3) for o in space.prune(a)) <= 4]
    sample = [few[row] for row in rng.choice(len(few), 400, replace=False)]
    sample += [space.canonical(architecture) for architecture in sample]
    by_function, by_class = {}, {}
    for architecture in set(sample):
        by_function.setdefault(outputs(architecture), set()).add(architecture)
        by_class.setdefault(space.canonical(architecture), set()).add(architecture)
    assert set(map(frozenset, by_function.values())) == set(map(frozenset, by_class.values()))


def test_sharing_a_convolution_matters_and_where_a_pool_stands_does_not():
    twice, two = (3, 0, 1, 0, 1, 1), (3, 3, 0, 0, 1, 1)
    assert space.canonical(twice) != space.canonical(two)
    pooled_sum, sum_of_pooled = (3, 3, 1, 0, 0, 4), (3, 3, 0, 0, 4, 4)
    assert space.canonical(pooled_sum) == space.canonical(sum_of_pooled)


def paths(architecture):
    """The multiset of operation sequences along input-to-output paths: an oracle that never looks at strings."""
    found = []

    def walk(node, taken):
        if node == 3:
            found.append(tuple(taken))
        for operation, (source, target) in zip(architecture, space.EDGES, strict=True):
            if source == node and operation != space.NONE:
                walk(target, taken + [operation] * (operation != space.SKIP))

    walk(0, [])
    return Counter(found)


@given(architectures)
def test_functional_classes_refine_no_path_apart(architecture):
    """Equal functions have equal multisets of paths, and pruning keeps both."""
    canonical = space.canonical(architecture)
    assert paths(canonical) == paths(architecture)
    assert space.canonical(space.prune(architecture)) == canonical
    assert space.prune(canonical) == canonical
    assert space.canonical(canonical) == canonical


@given(architectures)
def test_pruning_removes_exactly_the_edges_on_no_path(architecture):
    for edge, operation in enumerate(architecture):
        without = tuple(0 if e == edge else o for e, o in enumerate(architecture))
        on_a_path = sum(paths(without).values()) < sum(paths(architecture).values())
        assert space.prune(architecture)[edge] == (operation if on_a_path else 0)


def test_the_published_rule_joins_networks_that_share_a_convolution_and_such_that_do_not():
    """It compares expressions: 430 of its classes hold several functions, all of the same paths."""
    isomorphic = {}
    for architecture in space.architectures():
        isomorphic.setdefault(space.isomorphism_string(architecture), []).append(architecture)
    functions = [set(map(space.canonical, joined)) for joined in isomorphic.values()]
    several = [joined for joined in functions if len(joined) > 1]
    assert len(several) == 430
    assert all(len({frozenset(paths(a).items()) for a in joined}) == 1 for joined in several)


@given(architectures)
def test_neighbours_differ_on_one_edge(architecture):
    neighbours = space.neighbours(architecture)
    assert len(set(neighbours)) == 24
    assert all(sum(a != b for a, b in zip(architecture, n, strict=True)) == 1 for n in neighbours)


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("", "has 1 nodes"),
        ("|none~0|+|none~0|none~1|", "has 2 nodes"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "node 2"),
        ("none~0+|none~0|none~1|+|none~0|none~1|none~2|", "node 1"),
        ("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", 'edge 2<-1 reads "none~0"'),
        ("|none~0|+|none~0|none~1|+|none~0|conv3x3~1|none~2|", 'edge 3<-1 has the unknown operation "conv3x3"'),
        ("|nor_conv_3x4~0|+|none~0|none~1|+|none~0|none~1|none~2|", 'did you mean "nor_conv_3x3"'),
    ],
)
def test_a_malformed_string_is_refused_by_edge(string, message):
    with pytest.raises(NessBenchError) as error:
        space.parse(string)
    assert message in str(error.value)
