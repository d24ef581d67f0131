"""A network as a list of operations on offsets: what the compiled loops read instead of code.

The list is data, so the loops are compiled once for all architectures. Feature maps lie in one flat array
of values, their gradients in another, the parameters in a third.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import EDGES, NONE, POOL, SKIP, Architecture, prune
from ness_bench.training.parameters import KERNEL, Parameters, Shapes, shapes

CONVOLVE, NORMALISE, RELU, AVERAGE, COPY, ZERO = range(6)
"""Kinds of operations; COPY is the skip connection, ZERO the cell without a path."""

FIELDS = (
    "kind",
    "source",  # offset of its values
    "source_gradient",  # offset in the gradients; -1: not wanted
    "source_pixels",
    "source_channels",
    "target",
    "target_gradient",
    "target_pixels",
    "target_channels",
    "window",  # links from target pixels to source pixels: offset in the starts
    "reverse",  # the same links from source pixels to target pixels
    "taps",
    "weight",  # offset in the parameters
    "bias",
    "statistics",  # offset in the batch and running statistics
    "accumulate",  # 1: the target already holds another operation's output
    "accumulate_gradient",  # 1: the source's gradient already holds another operation's share
)
OPERATION = np.dtype([(field, np.int64) for field in FIELDS])
"""One operation of a tape; fields without a meaning for its kind are 0."""


@dataclass(frozen=True)
class Map:
    """A feature map: where its values and gradients lie, and its shape."""

    values: int
    gradients: int
    channels: int
    size: int


@dataclass(frozen=True)
class Tape:
    """A network of one architecture.

    Attributes:
        operations: `OPERATION` [operations], in forward order.
        starts: int64, see `kernels`.
        links: int64 [links, 2], (tap, pixel).
        shares: float32 [links], 1 / (number of links of the link's target pixel).
        offsets: where each parameter begins in the flat array.
        shapes: each parameter's shape as PyTorch has it.
        images: the map that images are loaded into.
        features: the map that the classifier averages over its pixels.
        values: length of the flat array of values.
        gradients: length of the flat array of gradients.
        statistics: length of the flat arrays of batch and running statistics.
    """

    operations: npt.NDArray[np.void]
    starts: npt.NDArray[np.int64]
    links: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]
    offsets: dict[str, int]
    shapes: Shapes
    images: Map
    features: Map
    values: int
    gradients: int
    statistics: int

    def pack(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        """The flat array of the parameters; convolutions lie [height, width, inputs, outputs]."""
        flat = [np.ravel(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value) for value in parameters.values()]
        return np.concatenate(flat)

    def unpack(self, flat: npt.NDArray[np.float32]) -> Parameters:
        """The inverse of `pack`."""
        result = {}
        for name, shape in self.shapes.items():
            value = flat[self.offsets[name] :][: math.prod(shape)]
            if len(shape) == 4:
                outputs, inputs, height, width = shape
                result[name] = value.reshape(height, width, inputs, outputs).transpose(3, 2, 0, 1)
            else:
                result[name] = value.reshape(shape)
        return result


@lru_cache
def _links(size: int, kernel: int, stride: int) -> tuple[tuple[int, int, int], ...]:
    """(target pixel, tap, source pixel) of a window over a square map; even kernels reach to the right and below."""
    targets = -(-size // stride)
    before = (kernel - 1) // 2
    return tuple(
        (row * targets + column, i * kernel + j, y * size + x)
        for row in range(targets)
        for column in range(targets)
        for i in range(kernel)
        for j in range(kernel)
        if 0 <= (y := row * stride + i - before) < size and 0 <= (x := column * stride + j - before) < size
    )


class _Recorder:
    """Lays out memory and appends operations."""

    def __init__(self, offsets: dict[str, int], largest: int, batch: int) -> None:
        self.offsets = offsets
        self.batch = batch
        self.values = 0
        self.gradients = largest  # what lies before is shared by the gradients of all convolution outputs
        self.statistics = 0
        self.operations: list[dict[str, int]] = []
        self.starts: list[int] = []
        self.links: list[tuple[int, int]] = []
        self.shares: list[float] = []
        self.windows: dict[tuple[int, int, int], tuple[int, int]] = {}

    def map(self, channels: int, size: int, *, shared_gradient: bool = False) -> Map:
        elements = channels * size**2 * self.batch
        new = Map(self.values, 0 if shared_gradient else self.gradients, channels, size)
        self.values += elements
        self.gradients += 0 if shared_gradient else elements
        return new

    def window(self, size: int, kernel: int, stride: int) -> tuple[int, int]:
        """Offsets of its forward and reverse links."""
        key = (size, kernel, stride)
        if key not in self.windows:
            links = _links(*key)
            sources = Counter(target for target, _, _ in links)
            shares = [1 / sources[target] for target, _, _ in links]
            forward = [
                (target, (tap, source), share) for (target, tap, source), share in zip(links, shares, strict=True)
            ]
            reverse = [
                (source, (tap, target), share) for (target, tap, source), share in zip(links, shares, strict=True)
            ]
            self.windows[key] = self._table(forward), self._table(reverse)
        return self.windows[key]

    def _table(self, links: list[tuple[int, tuple[int, int], float]]) -> int:
        """Append (owner, link, share) triples, by owner."""
        offset = len(self.starts)
        for pixel in range(max(owner for owner, _, _ in links) + 1):
            self.starts.append(len(self.links))
            self.links += [link for owner, link, _ in links if owner == pixel]
            self.shares += [share for owner, _, share in links if owner == pixel]
        self.starts.append(len(self.links))
        return offset

    def record(self, kind: int, source: Map, target: Map, **fields: int) -> None:
        row = {
            "kind": kind,
            "source": source.values,
            "source_gradient": source.gradients,
            "source_pixels": source.size**2,
            "source_channels": source.channels,
            "target": target.values,
            "target_gradient": target.gradients,
            "target_pixels": target.size**2,
            "target_channels": target.channels,
            "accumulate": any(earlier["target"] == target.values for earlier in self.operations),
        }
        self.operations.append(dict.fromkeys(FIELDS, 0) | row | fields)

    def convolve(self, name: str, source: Map, target: Map, kernel: int, stride: int = 1) -> None:
        window, reverse = self.window(source.size, kernel, stride)
        weight = self.offsets[f"{name}.weight"]
        self.record(CONVOLVE, source, target, window=window, reverse=reverse, taps=kernel**2, weight=weight)

    def normalise(self, name: str, source: Map, target: Map) -> None:
        weight, bias = self.offsets[f"{name}.weight"], self.offsets[f"{name}.bias"]
        self.record(NORMALISE, source, target, weight=weight, bias=bias, statistics=self.statistics)
        self.statistics += target.channels

    def convolve_normalise(
        self, convolution: str, normalisation: str, source: Map, target: Map, kernel: int, stride: int = 1
    ) -> None:
        output = self.map(target.channels, target.size, shared_gradient=True)
        self.convolve(convolution, source, output, kernel, stride)
        self.normalise(normalisation, output, target)

    def average(self, source: Map, target: Map, kernel: int, stride: int) -> None:
        window, reverse = self.window(source.size, kernel, stride)
        self.record(AVERAGE, source, target, window=window, reverse=reverse)

    def relu(self, source: Map) -> Map:
        target = self.map(source.channels, source.size)
        self.record(RELU, source, target)
        return target

    def cell(self, name: str, architecture: Architecture, source: Map) -> Map:
        nodes = {0: source}
        positive: dict[int, Map] = {}  # the ReLU of a node, once for all convolutions that read it
        for edge, (operation, (start, end)) in enumerate(zip(architecture, EDGES, strict=True)):
            if operation == NONE:
                continue
            if end not in nodes:
                nodes[end] = self.map(source.channels, source.size)
            if operation == SKIP:
                self.record(COPY, nodes[start], nodes[end])
            elif operation == POOL:
                self.average(nodes[start], nodes[end], 3, 1)
            else:
                if start not in positive:
                    positive[start] = self.relu(nodes[start])
                convolution, normalisation = f"{name}.convolutions.{edge}.1", f"{name}.convolutions.{edge}.2"
                self.convolve_normalise(convolution, normalisation, positive[start], nodes[end], KERNEL[operation])
        if 3 not in nodes:
            nodes[3] = self.map(source.channels, source.size)
            self.record(ZERO, source, nodes[3])
        return nodes[3]

    def reduction(self, name: str, source: Map) -> Map:
        channels, size = 2 * source.channels, (source.size + 1) // 2
        reduced, pooled = self.map(channels, size), self.map(source.channels, size)
        target = self.map(channels, size)
        self.convolve_normalise(f"{name}.reduce.1", f"{name}.reduce.2", self.relu(source), reduced, 3, 2)
        self.convolve_normalise(f"{name}.refine.1", f"{name}.refine.2", self.relu(reduced), target, 3)
        self.average(source, pooled, 2, 2)
        self.convolve(f"{name}.shortcut", pooled, target, 1)
        return target

    def finished(self) -> npt.NDArray[np.void]:
        """The operations, with it settled which of them is the first to write a gradient."""
        written: set[int] = set()
        for row in reversed(self.operations):
            row["accumulate_gradient"] = row["source"] in written
            written.add(row["source"])
        return np.array([tuple(row.values()) for row in self.operations], OPERATION)


def tape(architecture: Architecture, skeleton: Skeleton, batch: int) -> Tape:
    """The operations of the pruned network on `batch` images at a time."""
    parameters = shapes(architecture, skeleton)
    sizes = [math.prod(shape) for shape in parameters.values()]
    offsets = dict(zip(parameters, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    largest = max(width * size**2 for width, size in skeleton.stages) * batch
    recorder = _Recorder(offsets, largest, batch)

    width, size = skeleton.stages[0]
    images = Map(0, -1, skeleton.input_channels, size)
    recorder.values = skeleton.input_channels * size**2 * batch
    x = recorder.map(width, size)
    recorder.convolve_normalise("stem.0", "stem.1", images, x, 3)
    block = 0
    for stage in range(len(skeleton.stages)):
        if stage > 0:
            x = recorder.reduction(f"body.{block}", x)
            block += 1
        for _ in range(skeleton.cells):
            x = recorder.cell(f"body.{block}", prune(architecture), x)
            block += 1
    normalised = recorder.map(x.channels, x.size)
    recorder.normalise("head.0", x, normalised)
    features = recorder.relu(normalised)
    return Tape(
        operations=recorder.finished(),
        starts=np.array(recorder.starts),
        links=np.array(recorder.links),
        shares=np.array(recorder.shares, np.float32),
        offsets=offsets,
        shapes=parameters,
        images=images,
        features=features,
        values=recorder.values,
        gradients=recorder.gradients,
        statistics=recorder.statistics,
    )
