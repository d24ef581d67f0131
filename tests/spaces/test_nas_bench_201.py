import bz2
import pickle
import random
from collections import Counter

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
    assert len(sizes) == 4_930
    assert sizes[(0,) * 6] == 341


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


@given(architectures)
def test_isomorphic_architectures_share_their_functional_class(architecture):
    """The published rule is the finer one: it never joins what ours keeps apart."""
    twins = random.Random(0).sample(_isomorphic()[space.isomorphism_string(architecture)], 1)
    assert space.canonical(twins[0]) == space.canonical(architecture)


def _isomorphic(cache={}):  # noqa: B006
    if not cache:
        for architecture in space.architectures():
            cache.setdefault(space.isomorphism_string(architecture), []).append(architecture)
    return cache


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
