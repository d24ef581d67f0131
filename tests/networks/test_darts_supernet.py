import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_evaluation import EVALUATION_SKELETON, DartsNetwork
from ness_bench.networks.darts_skeleton import DartsSkeleton, flops, mixed_flops
from ness_bench.networks.darts_supernet import DartsSupernet
from ness_bench.spaces.darts import DARTS_V1, DARTS_V2, random_architecture, require_architecture

SKELETON = DartsSkeleton(channels=2, layers=4, input_channels=1, classes=3, image_size=8)
RNG = np.random.default_rng(0)
PATHS = [
    random_architecture(RNG),
    tuple(RNG.integers(1, 8, 28).tolist()),  # all edges are taken
    (0, 0, 4, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0),  # nodes without inputs
]


@pytest.fixture
def supernet(generator):
    return DartsSupernet(SKELETON, generator).double()


@pytest.fixture
def images(generator):
    return torch.randn(4, 1, 8, 8, generator=generator, dtype=torch.float64)


def normalise(x):
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def separable(x, depthwise, pointwise, stride, dilation):
    kernel, (channels, *_) = depthwise.shape[-1], depthwise.shape
    x = F.pad(x.clamp(min=0), [dilation * (kernel // 2)] * 4)
    each = [
        F.conv2d(x[:, [channel]], depthwise[[channel]], stride=stride, dilation=dilation) for channel in range(channels)
    ]
    return normalise(torch.einsum("oi,nihw->nohw", pointwise[:, :, 0, 0], torch.cat(each, 1)))


def reduce_by_half(x, even, odd):
    x = x.clamp(min=0)
    pixels = (x[:, :, 0::2, 0::2], x[:, :, 1::2, 1::2])
    parts = [torch.einsum("oi,nihw->nohw", w[:, :, 0, 0], p) for w, p in zip((even, odd), pixels, strict=True)]
    return normalise(torch.cat(parts, 1))


def operate(operation, x, parameters, stride):
    """An operation of the search network, from its definition."""
    match operation:
        case 1:
            padded = F.pad(x, [1] * 4, value=-torch.inf)
            return normalise(padded.unfold(2, 3, stride).unfold(3, 3, stride).amax((4, 5)))
        case 2:
            counted = F.conv2d(torch.ones_like(x[:, :1]), x.new_ones(1, 1, 3, 3), padding=1, stride=stride)
            ones = x.new_ones(x.shape[1], 1, 3, 3)
            return normalise(F.conv2d(x, ones, padding=1, stride=stride, groups=x.shape[1]) / counted)
        case 3:
            return x if stride == 1 else reduce_by_half(x, *parameters)
        case 4 | 5:
            first = separable(x, *parameters[:2], stride, 1)
            return separable(first, *parameters[2:], 1, 1)
        case 6 | 7:
            return separable(x, *parameters, stride, 2)


def assemble(supernet, images, weights):
    """The logits, put together anew from the parameters and the definition of the network, edge by edge."""
    (stem,) = supernet.stem.parameters()
    before = last = normalise(F.conv2d(images, stem, padding=1))
    for layer, cell in enumerate(supernet.cells):
        reduction = layer in (1, 2)  # a third and two thirds of 4 layers
        if layer in (2, 3):
            state_0 = reduce_by_half(before, *cell.align_before.parameters())
        else:
            state_0 = normalise(F.conv2d(before.clamp(min=0), *cell.align_before.parameters()))
        states = [state_0, normalise(F.conv2d(last.clamp(min=0), *cell.align_last.parameters()))]
        edge, size = 0, last.shape[-1] // (2 if reduction else 1)
        for inputs in (2, 3, 4, 5):
            node = state_0.new_zeros(*state_0.shape[:2], size, size)
            for source in range(inputs):
                stride = 2 if reduction and source < 2 else 1
                for operation in range(1, 8):
                    weight = weights[14 * reduction + edge, operation]
                    if weight != 0:
                        parameters = list(cell.operations[edge][operation].parameters())
                        node = node + weight * operate(operation, states[source], parameters, stride)
                edge += 1
            states.append(node)
        before, last = last, torch.cat(states[2:], 1)
    return supernet.classifier(last.mean((2, 3)))


def test_a_path_is_its_operations_put_together(supernet, images):
    for path in PATHS:
        weights = F.one_hot(torch.tensor(path), 8).double()
        torch.testing.assert_close(supernet.forward_path(images, path), assemble(supernet, images, weights))


def test_mixed_operations_are_their_weighted_sum(supernet, images, generator):
    weights = torch.rand(28, 8, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(supernet(images, weights), assemble(supernet, images, weights))


@pytest.mark.parametrize("path", PATHS)
def test_scaled_one_hot_weights_are_a_scaled_path(supernet, images, generator, path):
    scales = torch.rand(28, generator=generator, dtype=torch.float64).requires_grad_()
    one_hot = F.one_hot(torch.tensor(path), 8).double()
    mixed, single = supernet(images, one_hot * scales[:, None]), supernet.forward_path(images, path, scales)
    torch.testing.assert_close(mixed, single)
    gradients = (torch.autograd.grad(logits.square().sum(), scales)[0] for logits in (mixed, single))
    torch.testing.assert_close(*gradients)


def test_a_cell_is_linear_in_the_weights_of_an_edge_to_its_last_node(supernet, generator):
    cell = supernet.cells[0]
    x = torch.randn(3, 6, 8, 8, generator=generator, dtype=torch.float64)
    weights, end = torch.rand(28, 8, generator=generator, dtype=torch.float64)[:14], torch.zeros(14, 8).double()
    end[11] = torch.randn(8, generator=generator)
    outputs = [cell(x, x, weights + factor * end) for factor in (0, 1, 3)]
    torch.testing.assert_close(outputs[2] - outputs[0], 3 * (outputs[1] - outputs[0]))
    assert not torch.allclose(outputs[0][:, 6:], outputs[1][:, 6:])


def test_only_what_is_on_the_path_gets_a_gradient(supernet, images):
    supernet.forward_path(images, DARTS_V2).sum().backward()
    for cell in supernet.cells:
        for edge, operation in enumerate(DARTS_V2[14:] if cell.reduction else DARTS_V2[:14]):
            for other, module in enumerate(cell.operations[edge]):
                assert all((p.grad is not None) == (other == operation != 0) for p in module.parameters())


def test_evaluation_is_training(supernet, images):
    training = supernet.forward_path(images, DARTS_V1)
    torch.testing.assert_close(supernet.eval().forward_path(images, DARTS_V1), training, rtol=0, atol=0)


def test_a_seed_decides_every_weight_and_path(supernet, generator):
    again, other = (DartsSupernet(SKELETON, torch.Generator().manual_seed(seed)).double() for seed in (0, 1))
    for weight, same, different in zip(*(s.parameters() for s in (supernet, again, other)), strict=True):
        assert torch.equal(weight, same)
        assert not torch.equal(weight, different)
        assert weight.abs().max() <= (weight[0].numel() if weight.ndim > 1 else 32) ** -0.5
    paths = [supernet.random_path(generator) for _ in range(10)]
    assert len(set(paths)) == 10
    for path in paths:
        require_architecture(path)
    generators = (torch.Generator().manual_seed(0) for _ in range(2))
    assert len({supernet.random_path(generator) for generator in generators}) == 1


def test_it_has_the_published_number_of_parameters():
    # A log of the authors' search code: "param size = 1.930618MB"; the stem's normalisation has 2 · 48 of them there.
    parameters = sum(parameter.numel() for parameter in DartsSupernet(DartsSkeleton()).parameters())
    assert parameters == 1_930_618 - 96


def counted_flops(network, forward):
    """FLOPs of a pass for one example, counted module by module as it runs."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        elements = output[0].numel()
        if isinstance(module, nn.Conv2d):
            total += elements * module.weight[0].numel()
        elif isinstance(module, nn.BatchNorm2d):
            total += 2 * elements
        elif isinstance(module, nn.ReLU):
            total += elements
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            total += 9 * elements
        elif isinstance(module, nn.Linear):
            total += elements * module.in_features + elements
        elif type(module).__name__ == "FactorizedReduce":
            total += inputs[0][0].numel()  # its ReLU is no module

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    forward()
    for hook in hooks:
        hook.remove()
    return total + network.skeleton.features * (network.skeleton.image_size // 4) ** 2  # the global average


@pytest.mark.parametrize("skeleton", [SKELETON, DartsSkeleton(channels=3, layers=5, image_size=16)])
def test_flops_are_those_of_the_modules(skeleton):
    images = torch.randn(2, skeleton.input_channels, skeleton.image_size, skeleton.image_size)
    supernet = DartsSupernet(skeleton)
    assert mixed_flops(skeleton) == counted_flops(supernet, lambda: supernet(images, torch.ones(28, 8)))
    for architecture in (DARTS_V1, DARTS_V2, PATHS[0]):
        network = DartsNetwork(architecture, skeleton, auxiliary=False)
        assert flops(architecture, skeleton) == counted_flops(network, lambda network=network: network(images))


def test_a_dearer_operation_costs_more():
    cheap, dear = (tuple(operation if o == 4 else o for o in DARTS_V2) for operation in (6, 5))
    assert flops(cheap, EVALUATION_SKELETON) < flops(DARTS_V2, EVALUATION_SKELETON) < flops(dear, EVALUATION_SKELETON)


@pytest.mark.parametrize(("given", "message"), [({"layers": 2}, "2 layers"), ({"image_size": 30}, "30 pixels")])
def test_a_skeleton_that_cannot_be_is_refused(given, message):
    with pytest.raises(NessBenchError, match=message):
        DartsSkeleton(**given)


def test_reductions_are_at_thirds():
    positions = EVALUATION_SKELETON.positions
    assert [layer for layer, position in enumerate(positions) if position.reduction] == [6, 13]
    assert [positions[layer].channels for layer in (0, 6, 13)] == [36, 72, 144]
    assert positions[7].inputs == (144, 288)
    assert positions[7].after_reduction
    assert [positions[6].stride(edge) for edge in range(5)] == [2, 2, 2, 2, 1]  # EDGES[4] leaves a node
