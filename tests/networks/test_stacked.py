"""A stack of networks against the networks themselves, in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ness_bench.networks.nas_bench_201 import Network
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.stacked import StackedNetwork
from ness_bench.spaces.nas_bench_201 import RESNET

SKELETON = Skeleton(channels=3, cells=2, input_channels=2, classes=4, image_size=7)
RANDOM = [tuple(map(int, row)) for row in np.random.default_rng(0).integers(0, 5, (4, 6))]
MIXED = [(0,) * 6, RESNET, (1,) * 6, (4,) * 6, RESNET, (2,) * 6, (3, 3, 0, 0, 0, 0), *RANDOM]
STACKS = [MIXED, [RESNET] * 3, [(4, 0, 0, 0, 1, 0)], [(0,) * 6] * 2]


def noise(members, examples):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(members, examples, 2, 7, 7, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, SKELETON.classes, (members, examples), generator=generator)


def networks(architectures):
    """One network a member, none with the parameters of another, normalisation away from weight 1 and bias 0."""
    generator = torch.Generator().manual_seed(2)
    result = [Network(architecture, SKELETON).double() for architecture in architectures]
    for network in result:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return result


def stacked(architectures, states):
    return StackedNetwork(architectures, states, SKELETON).double()


def stack_of(architectures):
    return stacked(architectures, [dict(network.named_parameters()) for network in networks(architectures)])


def losses(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


@pytest.mark.parametrize("architectures", STACKS)
def test_a_stack_computes_what_its_members_do(architectures):
    alone = networks(architectures)
    stack = stack_of(architectures)
    for examples in (5, 4):  # the second pass finds running statistics already moved
        images, labels = noise(len(architectures), examples)
        logits = stack(images)
        expected = torch.stack([network(x) for network, x in zip(alone, images, strict=True)])
        torch.testing.assert_close(logits, expected)

    losses(logits, labels).backward()
    losses(expected, labels).backward()
    gradients = [  # parameters before a dead cell have none in a network alone
        {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in network.named_parameters()}
        for network in alone
    ]
    of_stack = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in stack.named_parameters()}
    torch.testing.assert_close(of_stack, dict(stacked(architectures, gradients).named_parameters()))

    stack.eval()
    expected = torch.stack([network.eval()(x) for network, x in zip(alone, images, strict=True)])
    torch.testing.assert_close(stack(images), expected)


def test_a_stack_holds_what_its_members_hold():
    held = sum(parameter.numel() for network in networks(MIXED) for parameter in network.parameters())
    assert sum(parameter.numel() for parameter in stack_of(MIXED).parameters()) == held


@pytest.mark.parametrize("broken", [1, 2, len(MIXED) - 1])
def test_no_number_reaches_another_member(broken):
    """NaN as the image of one member leaves every bit of the others, and of their gradients, as it was."""
    clean = [m for m in range(len(MIXED)) if m != broken]
    images, labels = noise(len(MIXED), 4)
    poisoned = images.clone()
    poisoned[broken] = torch.nan
    results = []
    for given in (images, poisoned):
        stack = stack_of(MIXED)
        given.requires_grad_()
        logits = stack(given)
        losses(logits, labels).backward()
        results.append((logits, given.grad, stack.weight.grad))
    for before, after in zip(*results, strict=True):
        assert after[broken].isnan().any()
        torch.testing.assert_close(after[clean], before[clean], rtol=0, atol=0)
