from collections import Counter

import numpy as np

from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.space import Space


def test_the_whole_space_has_the_published_neighbours_of_other_function():
    whole = Space.whole()
    architecture = nas_bench_201.RESNET
    expected = {n for n in nas_bench_201.neighbours(architecture) if whole.canonical(n) != architecture}
    assert set(whole.neighbours(architecture)) == {
        n for n in nas_bench_201.neighbours(architecture) if whole.canonical(n) != whole.canonical(architecture)
    }
    assert expected


def test_a_restricted_space_is_the_union_of_its_classes():
    whole = Space.whole()
    classes = [whole.classes[row] for row in (0, 10, 200, 3000)]
    small = whole.restrict(classes)
    assert set(small.classes) == set(classes)
    assert small.size == sum(whole.canonical(a) in classes for a in whole.architectures)
    assert all(a in small for a in small.architectures)
    assert (1, 2, 3, 4, 0, 1) in whole
    for architecture in small.architectures[:20]:
        distances = Counter(
            sum(a != b for a, b in zip(architecture, other, strict=True))
            for other in small.architectures
            if small.canonical(other) != small.canonical(architecture)
        )
        nearest = min(distances)
        neighbours = small.neighbours(architecture)
        assert len(neighbours) == distances[nearest]
        assert all(n in small and small.canonical(n) != small.canonical(architecture) for n in neighbours)


def test_sampling_is_uniform_over_strings():
    small = Space.whole().restrict([(0,) * 6, (0, 0, 0, 1, 0, 0)])
    rng = np.random.default_rng(0)
    drawn = Counter(small.canonical(small.sample(rng)) for _ in range(4000))
    share = sum(small.canonical(a) == (0,) * 6 for a in small.architectures) / small.size
    assert abs(drawn[(0,) * 6] / 4000 - share) < 4 * np.sqrt(share * (1 - share) / 4000)
