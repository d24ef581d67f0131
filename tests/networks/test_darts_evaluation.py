import re

import pytest
import torch

from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_evaluation import EVALUATION_SKELETON, DartsNetwork, drop_paths
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.darts_supernet import DartsSupernet
from ness_bench.spaces.darts import DARTS_V2, NONE, OPERATIONS, parse

SMALL = DartsSkeleton(channels=2, layers=4, classes=3, image_size=8)
PDARTS = parse(  # found by progressive DARTS (Chen, Xie, Wu & Tian, ICCV 2019)
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], normal_concat=range(2, 6), "
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), "
    "('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], reduce_concat=range(2, 6))"
)
WITHOUT_POOLS = tuple(4 if OPERATIONS[operation].endswith("pool_3x3") else operation for operation in DARTS_V2)


@pytest.mark.parametrize(
    ("architecture", "auxiliary", "published"),
    [
        (DARTS_V2, False, 3_349_342),  # a log of the authors' code: "param size = 3.349342MB"
        (PDARTS, False, 3_433_798),  # chenxin061/pdarts, issue 7, as is the next
        (PDARTS, True, 3_910_224),
    ],
)
def test_it_has_the_published_number_of_parameters(architecture, auxiliary, published):
    network = DartsNetwork(architecture, EVALUATION_SKELETON, auxiliary)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


def test_in_training_it_is_a_path_of_a_supernet_with_the_same_weights(generator):
    """Without pools, which the supernet normalises; the supernet is tested against the definition."""
    supernet = DartsSupernet(SMALL, generator).double()
    network = DartsNetwork(WITHOUT_POOLS, SMALL, auxiliary=False).double()
    weights = supernet.state_dict()
    for name, parameter in network.named_parameters():
        if ".operations." in name:
            before, edge, rest = re.fullmatch(r"(.*operations)\.(\d+)\.(.*)", name).groups()
            reduction = SMALL.positions[int(name.split(".")[1])].reduction
            name = f"{before}.{edge}.{WITHOUT_POOLS[14 * reduction + int(edge)]}.{rest}"
        if name in weights:
            parameter.data = weights[name]
        else:
            assert parameter.ndim == 1, "batch normalisation keeps its weight of 1 and bias of 0"
    images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    logits, auxiliary = network(images)
    assert auxiliary is None
    torch.testing.assert_close(logits, supernet.forward_path(images, WITHOUT_POOLS))


def test_evaluation_takes_each_image_by_itself(generator):
    network = DartsNetwork(DARTS_V2, SMALL, auxiliary=False, generator=generator)
    images = torch.randn(5, 3, 8, 8, generator=generator)
    for _ in range(3):
        network(images)
    network.eval()
    torch.testing.assert_close(network(images)[0][:2], network(images[:2])[0])


def test_the_auxiliary_head_speaks_in_training_only(generator):
    skeleton = DartsSkeleton(channels=2, layers=3, classes=3)
    network = DartsNetwork(DARTS_V2, skeleton, generator=generator)
    images = torch.randn(3, 3, 32, 32, generator=generator)
    logits, auxiliary = network(images)
    assert logits.shape == auxiliary.shape == (3, 3)
    auxiliary.sum().backward()
    reached = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert "stem.0.weight" in reached
    assert "auxiliary.2.weight" in reached
    assert not any(name.startswith("classifier") for name in reached)
    assert network.eval()(images)[1] is None


@pytest.mark.parametrize("size", [28, 44])
def test_images_that_the_auxiliary_head_cannot_take_are_refused(size):
    skeleton = DartsSkeleton(channels=2, layers=3, image_size=size)
    with pytest.raises(NessBenchError, match=f"{size} pixels.* 32, 36 or 40"):
        DartsNetwork(DARTS_V2, skeleton)
    DartsNetwork(DARTS_V2, skeleton, auxiliary=False)


@pytest.mark.parametrize("size", [32, 36, 40])
def test_the_auxiliary_head_takes_the_sizes_it_says(size):
    network = DartsNetwork(DARTS_V2, DartsSkeleton(channels=2, layers=3, image_size=size))
    assert network(torch.zeros(2, 3, size, size))[1].shape == (2, 10)


def test_a_path_that_is_no_architecture_is_refused():
    with pytest.raises(NessBenchError, match="node 2 of the normal cell has 1"):
        DartsNetwork((NONE, *DARTS_V2[1:]))


def test_drop_paths_keep_the_expectation(generator):
    drawn = drop_paths(DartsSkeleton(layers=20), 200, 0.3, generator)
    assert drawn.shape == (20, 14, 200)
    assert drawn.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert drawn.mean() == pytest.approx(1, abs=5 * (0.3 / 0.7 / drawn.numel()) ** 0.5)
    assert drop_paths(SMALL, 3, 0, generator).unique().tolist() == [1]


def test_drop_path_drops_whole_examples_and_no_identities(generator):
    cell = DartsNetwork(DARTS_V2, SMALL, auxiliary=False, generator=generator).cells[0].eval()
    x = torch.randn(3, 6, 8, 8, generator=generator)
    paths = torch.ones(14, 3)
    paths[:, 1] = 0
    whole, dropped = cell(x, x), cell(x, x, paths)
    torch.testing.assert_close(dropped[::2], whole[::2], rtol=0, atol=0)
    first, second, third, fourth = dropped[1].split(2)
    aligned = cell.align_before(x)[1]  # DARTS_V2 adds it to its last two nodes by skip connections
    assert not first.any()
    assert not second.any()
    torch.testing.assert_close(third, aligned)
    torch.testing.assert_close(fourth, aligned)


def test_drop_path_scales_the_output_of_an_edge(generator):
    cell = DartsNetwork(DARTS_V2, SMALL, auxiliary=False, generator=generator).cells[0].eval()
    x = torch.randn(3, 6, 8, 8, generator=generator)

    def first_node(*scales):
        return cell(x, x, torch.tensor([*scales, *[1.0] * 12])[:, None].expand(14, 3))[:, :2]

    torch.testing.assert_close(first_node(2, 3), 2 * first_node(1, 0) + 3 * first_node(0, 1))
