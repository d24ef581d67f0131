import pytest
import torch
from torch.nn import functional as F

from ness_bench.networks.nas_bench_201 import Network
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.statistics import FixedStatistics, RecordedStatistics
from ness_bench.networks.supernet import MixedCell, Supernet
from ness_bench.spaces.nas_bench_201 import CONV_1X1, CONV_3X3, EDGES, OPERATIONS, prune

SKELETON = Skeleton(channels=4, cells=1)
LIVE = (3, 2, 1, 4, 2, 3)
ARCHITECTURES = [
    LIVE,
    (3, 3, 3, 3, 3, 3),
    (4, 1, 2, 0, 3, 0),
    (2, 0, 0, 3, 0, 2),  # nodes 1 and 2 lie on no path
    (1, 2, 3, 0, 0, 0),  # dead
]


@pytest.fixture
def supernet(generator):
    return Supernet(SKELETON, generator).double()


@pytest.fixture
def images(generator):
    return torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_path_is_the_stand_alone_network_with_the_inherited_weights(supernet, images, architecture):
    network = Network(architecture, SKELETON).double()  # in training: it normalises by the batch, too
    inherited = supernet.state_dict()
    for name, parameter in network.named_parameters():
        block, _, edge = name.partition(".convolutions.")
        if edge.endswith(".1.weight"):
            index = int(edge[0])
            name = f"{block}.kernels.{index}_{OPERATIONS[prune(architecture)[index]]}"
        if name in inherited:
            parameter.data = inherited[name]
        else:
            assert parameter.ndim == 1, "batch normalisation keeps its weight of 1 and bias of 0"
    torch.testing.assert_close(supernet.forward_path(images, architecture), network(images))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_hot_weights_are_a_path(supernet, images, architecture):
    weights = F.one_hot(torch.tensor(architecture), len(OPERATIONS)).double()
    torch.testing.assert_close(supernet(images, weights), supernet.forward_path(images, architecture))


def test_a_mixed_cell_sums_its_weighted_operations(generator):
    cell = MixedCell(2).double()
    for kernel in cell.parameters():
        torch.nn.init.normal_(kernel, generator=generator)
    x = torch.randn(3, 2, 5, 5, generator=generator, dtype=torch.float64)
    weights = torch.randn(len(EDGES), len(OPERATIONS), generator=generator, dtype=torch.float64)
    counted = 9 * F.avg_pool2d(torch.ones_like(x), 3, 1, 1)  # pixels under the window that are no padding

    def convolve(edge, operation, x):
        y = F.conv2d(x.clamp(min=0), cell.kernels[f"{edge}_{OPERATIONS[operation]}"], padding="same")
        variance, mean = torch.var_mean(y, (0, 2, 3), correction=0, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    def mix(edge, x):
        none, skip, one, three, pool = weights[edge]
        convolved = one * convolve(edge, CONV_1X1, x) + three * convolve(edge, CONV_3X3, x)
        return none * 0 + skip * x + convolved + pool * 9 * F.avg_pool2d(x, 3, 1, 1) / counted

    node_1 = mix(0, x)
    node_2 = mix(1, x) + mix(2, node_1)
    torch.testing.assert_close(cell(x, weights), mix(3, x) + mix(4, node_1) + mix(5, node_2))


def test_evaluation_is_training(supernet, images):
    training = supernet.forward_path(images, LIVE)
    torch.testing.assert_close(supernet.eval().forward_path(images, LIVE), training, rtol=0, atol=0)


def test_fixed_statistics_keep_the_scale_of_mixed_operations(supernet, images):
    """Normalised by statistics of its own images, a mixed pass is what it was."""
    weights = torch.rand(6, 5, generator=torch.Generator().manual_seed(3), dtype=images.dtype)
    with torch.no_grad(), RecordedStatistics() as recorded:
        expected = supernet(images, weights)
    with torch.no_grad(), FixedStatistics(recorded):
        found = supernet(images, weights)
    torch.testing.assert_close(found, expected)
