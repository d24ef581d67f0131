"""What a bank stores of a supernet beside its weights: inherited-weight predictions of every architecture.

`supernets/NAME.safetensors` holds the weights; `supernets/NAME.npz` holds

    architectures   int8 [architectures, edges], the pruned architectures of the bank's space
    true_class      uint8 [architectures, examples], code of the probability that an architecture with
                    inherited weights gives to the right class of a validation example
    alphas          float32 [epochs + 1, edges, operations], for kinds that learn them

so that a search on the bank looks up what a pass through the supernet would have given.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ness_bench.banks import codec
from ness_bench.spaces.nas_bench_201 import Architecture, architectures, prune


@dataclass(frozen=True)
class StoredSupernet:
    """A supernet of a bank, as lookups.

    Attributes:
        kind: `uniform` or `darts`.
        epochs: of its training.
        seed: of its training.
        passes: training images × epochs.
        architectures: int8 [architectures, edges], pruned.
        true_class_codes: uint8 [architectures, examples].
        alphas: float32 [epochs + 1, edges, operations], or None.
    """

    kind: str
    epochs: int
    seed: int
    passes: int
    architectures: npt.NDArray[np.int8]
    true_class_codes: npt.NDArray[np.uint8]
    alphas: npt.NDArray[np.float32] | None

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.epochs}-seed{self.seed}"

    @cached_property
    def _rows(self) -> dict[Architecture, int]:
        pruned = {tuple(row): index for index, row in enumerate(self.architectures.tolist())}
        found = {architecture: pruned.get(prune(architecture)) for architecture in architectures()}
        return {architecture: row for architecture, row in found.items() if row is not None}

    def rows(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """The row of each architecture [architectures, edges], pruned or not."""
        return np.array([self._rows[tuple(a)] for a in architectures.tolist()], np.int64)

    def true_class(
        self, rows: npt.NDArray[np.int64], examples: npt.NDArray[np.int64] | slice = slice(None)
    ) -> npt.NDArray[np.float32]:
        """Probabilities of the right class, float32 [rows, examples].

        A single column cannot be renormalised; half of the smallest step keeps a zero's logarithm finite.
        """
        roots = np.maximum(self.true_class_codes[rows][:, examples], np.float32(0.5)) / np.float32(codec.LEVELS)
        return np.square(roots)


def read(path: Path) -> StoredSupernet:
    """Read `supernets/NAME.npz`."""
    with np.load(path, allow_pickle=False) as arrays:
        return StoredSupernet(
            str(arrays["kind"]),
            int(arrays["epochs"]),
            int(arrays["seed"]),
            int(arrays["passes"]),
            arrays["architectures"],
            arrays["true_class"],
            arrays.get("alphas"),
        )


def write(file: BinaryIO, supernet: StoredSupernet) -> None:
    """Write what `read` reads."""
    arrays: dict[str, Any] = {
        "kind": np.array(supernet.kind),
        "epochs": np.array(supernet.epochs),
        "seed": np.array(supernet.seed),
        "passes": np.array(supernet.passes),
        "architectures": supernet.architectures,
        "true_class": supernet.true_class_codes,
    }
    if supernet.alphas is not None:
        arrays["alphas"] = supernet.alphas
    np.savez_compressed(file, **arrays)
