"""A network as a list of operations on offsets: what the compiled loops read instead of code.

The list is data, so the loops are compiled once for all architectures. Feature maps lie in one flat array
of values, their gradients in another, the parameters in a third.

A tape holds all that the edges of its cells may do; one architecture runs a cut of it.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import EDGES, NONE, OPERATIONS, POOL, SKIP, Architecture, prune
from ness_bench.training.parameters import KERNEL, Cells, Parameters, Shapes, shapes

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

ALWAYS, LIVE, DEAD = range(3)
"""Parts of a tape: what every architecture runs, what all but the dead one run, what that one runs instead."""
_POSITIVE = 3  # + edge: the ReLU of its source, before the first convolution that reads it
_EDGE = _POSITIVE + len(EDGES)  # + edge × operations + operation: what the edge does
_PARTS = _EDGE + len(EDGES) * len(OPERATIONS)


def _parts(architecture: Architecture) -> npt.NDArray[np.bool_]:
    """Which parts an architecture runs."""
    path = prune(architecture)
    runs = np.zeros(_PARTS, np.bool_)
    runs[[ALWAYS, LIVE if any(path) else DEAD]] = True
    read = set()
    for edge, (operation, (start, _)) in enumerate(zip(path, EDGES, strict=True)):
        if operation == NONE:
            continue
        runs[_EDGE + edge * len(OPERATIONS) + operation] = True
        if operation in KERNEL and start not in read:
            runs[_POSITIVE + edge] = True
            read.add(start)
    return runs


def _repeated(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each number stands further ahead, too. They are small, so that a table is quicker than sorting."""
    places = np.arange(len(numbers))
    first = np.empty(numbers.max(initial=0) + 1, np.int64)
    first[numbers[::-1]] = places[::-1]  # of equal numbers the first is written last
    repeated: npt.NDArray[np.bool_] = first[numbers] != places
    return repeated


@dataclass(frozen=True)
class Map:
    """A feature map: where its values and gradients lie, and its shape."""

    values: int
    gradients: int
    channels: int
    size: int


@dataclass(frozen=True)
class Cut:
    """What one architecture runs of a tape.

    Attributes:
        operations: `OPERATION` [operations], in forward order.
        spans: int64 [parameters, 2], where each parameter that reaches the output begins and ends.
    """

    operations: npt.NDArray[np.void]
    spans: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tape:
    """All that the networks of some cells compute.

    Attributes:
        skeleton, batch: what memory is laid out for.
        operations: `OPERATION` [operations], in forward order.
        operation_parts: int64 [operations], the part that each belongs to.
        starts: int64, see `kernels`.
        links: int64 [links, 2], (tap, pixel).
        shares: float32 [links], 1 / (number of links of the link's target pixel).
        spans: int64 [parameters, 2], where each parameter begins and ends in the flat array.
        span_parts: int64 [parameters], the part that each belongs to.
        shapes: each parameter's shape as PyTorch has it.
        features: the map that the classifier averages over its pixels.
        classifier: offset of its weight in the flat array; its bias follows.
        values: length of the flat array of values.
        gradients: length of the flat array of gradients.
        statistics: length of the flat arrays of batch and running statistics.
    """

    skeleton: Skeleton
    batch: int
    operations: npt.NDArray[np.void]
    operation_parts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    links: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]
    spans: npt.NDArray[np.int64]
    span_parts: npt.NDArray[np.int64]
    shapes: Shapes
    features: Map
    classifier: int
    values: int
    gradients: int
    statistics: int

    @cached_property
    def _targets(self) -> npt.NDArray[np.int64]:
        """The maps that operations write, numbered."""
        return np.unique(self.operations["target"], return_inverse=True)[1]

    @cached_property
    def _sources(self) -> npt.NDArray[np.int64]:
        """The maps that operations read, numbered."""
        return np.unique(self.operations["source"], return_inverse=True)[1]

    def cut(self, architecture: Architecture) -> Cut:
        """What an architecture runs, which operation is the first to write a map being settled by it."""
        runs = _parts(architecture)
        run = runs[self.operation_parts]
        operations = self.operations[run]
        operations["accumulate"] = _repeated(self._targets[run])
        operations["accumulate_gradient"] = _repeated(self._sources[run][::-1])[::-1]
        return Cut(operations, self.spans[runs[self.span_parts]])

    def pack(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        """The flat array of the parameters; convolutions lie [height, width, inputs, outputs].

        Behind the parameters lie the weight 1 and the bias 0 of normalisations that have none of their own.
        """
        values = [parameters[name] for name in self.shapes]
        flat = [np.ravel(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value) for value in values]
        widest = self.features.channels
        return np.concatenate([*flat, np.ones(widest, np.float32), np.zeros(widest, np.float32)])

    def unpack(self, flat: npt.NDArray[np.float32]) -> Parameters:
        """The inverse of `pack`."""
        result = {}
        for (name, shape), (first, last) in zip(self.shapes.items(), self.spans, strict=True):
            value = flat[first:last]
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

    def __init__(self, cells: Cells, skeleton: Skeleton, batch: int) -> None:
        self.cells = cells
        self.shapes = shapes(cells, skeleton)
        ends: list[int] = np.cumsum([math.prod(shape) for shape in self.shapes.values()]).tolist()
        self.spans = dict(zip(self.shapes, zip([0, *ends[:-1]], ends, strict=True), strict=True))
        self.span_parts = dict.fromkeys(self.shapes, ALWAYS)
        widest, _ = skeleton.stages[-1]
        self.one, self.zero = ends[-1], ends[-1] + widest
        self.batch = batch
        self.values = 0
        # What lies before is shared by the gradients of all convolution outputs.
        self.gradients = max(width * size**2 for width, size in skeleton.stages) * batch
        self.statistics = 0
        self.part = LIVE
        self.operations: list[dict[str, int]] = []
        self.operation_parts: list[int] = []
        self.starts: list[int] = []
        self.links: list[tuple[int, int]] = []
        self.shares: list[float] = []
        self.windows: dict[tuple[int, int, int], tuple[int, int]] = {}

    def parameter(self, name: str) -> int:
        """Its offset; it becomes one of the part that is being recorded."""
        self.span_parts[name] = self.part
        offset, _ = self.spans[name]
        return offset

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
        of: dict[int, list[tuple[tuple[int, int], float]]] = {}
        for owner, link, share in links:
            of.setdefault(owner, []).append((link, share))
        for pixel in range(max(of) + 1):
            self.starts.append(len(self.links))
            self.links += [link for link, _ in of.get(pixel, [])]
            self.shares += [share for _, share in of.get(pixel, [])]
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
        }
        self.operations.append(dict.fromkeys(FIELDS, 0) | row | fields)
        self.operation_parts.append(self.part)

    def convolve(self, weight: str, source: Map, target: Map, kernel: int, stride: int = 1) -> None:
        window, reverse = self.window(source.size, kernel, stride)
        offset = self.parameter(weight)
        self.record(CONVOLVE, source, target, window=window, reverse=reverse, taps=kernel**2, weight=offset)

    def normalise(self, name: str, source: Map, target: Map) -> None:
        weight, bias = self.one, self.zero
        if self.cells.affine:
            weight, bias = self.parameter(f"{name}.weight"), self.parameter(f"{name}.bias")
        self.record(NORMALISE, source, target, weight=weight, bias=bias, statistics=self.statistics)
        self.statistics += target.channels

    def convolve_normalise(
        self, weight: str, normalisation: str, source: Map, target: Map, kernel: int, stride: int = 1
    ) -> None:
        output = self.map(target.channels, target.size, shared_gradient=True)
        self.convolve(weight, source, output, kernel, stride)
        self.normalise(normalisation, output, target)

    def average(self, source: Map, target: Map, kernel: int, stride: int) -> None:
        window, reverse = self.window(source.size, kernel, stride)
        self.record(AVERAGE, source, target, window=window, reverse=reverse)

    def relu(self, source: Map) -> Map:
        target = self.map(source.channels, source.size)
        self.record(RELU, source, target)
        return target

    def cell(self, block: str, source: Map) -> Map:
        """All that the edges may do."""
        nodes = [source, *(self.map(source.channels, source.size) for _ in range(3))]
        positive = [self.map(source.channels, source.size) for _ in range(3)]
        for edge, ((start, end), operations) in enumerate(zip(EDGES, self.cells.operations, strict=True)):
            convolved = self.map(source.channels, source.size, shared_gradient=True)
            self.part = _POSITIVE + edge
            self.record(RELU, nodes[start], positive[start])
            for operation in operations:
                self.part = _EDGE + edge * len(OPERATIONS) + operation
                if operation == SKIP:
                    self.record(COPY, nodes[start], nodes[end])
                elif operation == POOL:
                    self.average(nodes[start], nodes[end], 3, 1)
                else:
                    weight = self.cells.kernel_name(block, edge, operation)
                    self.convolve(weight, positive[start], convolved, KERNEL[operation])
                    self.normalise(f"{block}.convolutions.{edge}.2", convolved, nodes[end])
        self.part = LIVE
        return nodes[3]

    def reduction(self, block: str, source: Map) -> Map:
        channels, size = 2 * source.channels, (source.size + 1) // 2
        reduced, pooled = self.map(channels, size), self.map(source.channels, size)
        target = self.map(channels, size)
        self.convolve_normalise(f"{block}.reduce.1.weight", f"{block}.reduce.2", self.relu(source), reduced, 3, 2)
        self.convolve_normalise(f"{block}.refine.1.weight", f"{block}.refine.2", self.relu(reduced), target, 3)
        self.average(source, pooled, 2, 2)
        self.convolve(f"{block}.shortcut.weight", pooled, target, 1)
        return target


@lru_cache(maxsize=8)
def tape(cells: Cells, skeleton: Skeleton, batch: int) -> Tape:
    """The operations of the networks on `batch` images at a time."""
    recorder = _Recorder(cells, skeleton, batch)
    width, size = skeleton.stages[0]
    images = Map(0, -1, skeleton.input_channels, size)
    recorder.values = skeleton.input_channels * size**2 * batch
    x = recorder.map(width, size)
    recorder.convolve_normalise("stem.0.weight", "stem.1", images, x, 3)
    block = 0
    for stage in range(len(skeleton.stages)):
        if stage > 0:
            x = recorder.reduction(f"body.{block}", x)
            block += 1
        for _ in range(skeleton.cells):
            x = recorder.cell(f"body.{block}", x)
            block += 1
    recorder.part = DEAD
    recorder.record(ZERO, x, x)
    recorder.part = ALWAYS
    normalised = recorder.map(x.channels, x.size)
    recorder.normalise("head.0", x, normalised)
    features = recorder.relu(normalised)
    return Tape(
        skeleton=skeleton,
        batch=batch,
        operations=np.array([tuple(row.values()) for row in recorder.operations], OPERATION),
        operation_parts=np.array(recorder.operation_parts),
        starts=np.array(recorder.starts),
        links=np.array(recorder.links),
        shares=np.array(recorder.shares, np.float32),
        spans=np.array(list(recorder.spans.values())),
        span_parts=np.array(list(recorder.span_parts.values())),
        shapes=recorder.shapes,
        features=features,
        classifier=recorder.parameter("classifier.weight"),
        values=recorder.values,
        gradients=recorder.gradients,
        statistics=recorder.statistics,
    )
