from hypothesis import given, settings
from hypothesis import strategies as st

from ness_bench.networks.nas_bench_201 import Network
from ness_bench.networks.skeleton import Skeleton, flops, mixed_flops, parameters
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, POOL, prune

PUBLISHED = Skeleton(channels=16, cells=5, input_channels=3, classes=10, image_size=32)
PUBLISHED_FIXED_FLOPS = 7_943_872 - 1_078  # ours counts a little less outside of the cells
PUBLISHED_FLOPS = {CONV_1X1: 4_362_240, CONV_3X3: 35_819_520, POOL: 1_290_240}  # an edge, all its 15 cells
PUBLISHED_PARAMETERS = {CONV_1X1: 28_000, CONV_3X3: 243_040}

architectures = st.tuples(*[st.integers(0, 4)] * 6)


@given(architectures)
def test_costs_follow_the_published_rules(architecture):
    live = prune(architecture)
    assert flops(architecture, PUBLISHED) == PUBLISHED_FIXED_FLOPS + sum(PUBLISHED_FLOPS.get(o, 0) for o in live)
    assert parameters(architecture, PUBLISHED) == 73_306 + sum(PUBLISHED_PARAMETERS.get(o, 0) for o in live)


def test_mixed_flops_follow_the_published_rules():
    assert mixed_flops(PUBLISHED) == PUBLISHED_FIXED_FLOPS + len(EDGES) * sum(PUBLISHED_FLOPS.values())


@settings(max_examples=20, deadline=None)
@given(architectures, st.builds(Skeleton, st.integers(1, 6), st.integers(1, 2), st.integers(1, 3), st.integers(2, 5)))
def test_parameters_are_those_of_the_network(architecture, skeleton):
    network = Network(architecture, skeleton)
    assert parameters(architecture, skeleton) == sum(parameter.numel() for parameter in network.parameters())
