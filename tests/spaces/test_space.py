from collections import Counter

from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.space import Space


def test_on_the_whole_space_neighbours_are_the_published_ones_of_another_function():
    whole = Space.whole()
    architecture = nas_bench_201.RESNET
    of_other_function = {
        n for n in nas_bench_201.neighbours(architecture) if whole.canonical(n) != whole.canonical(architecture)
    }
    assert set(whole.neighbours(architecture)) == of_other_function
    besides = {whole.canonical(n) for n in list(of_other_function)[:5]}
    left = {n for n in of_other_function if whole.canonical(n) not in besides}
    assert set(whole.neighbours(architecture, besides)) == left
    everything = whole.neighbours(architecture, {whole.canonical(n) for n in of_other_function})
    assert {sum(a != b for a, b in zip(architecture, n, strict=True)) for n in everything} == {2}


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
