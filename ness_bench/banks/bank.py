"""A prediction bank on disk, opened for reading.

A bank is a folder:

    bank.json              schema, data set, skeleton, recipe, SHA-256 of every other file
    members.parquet        a row a member: architecture, seed, cost, validation curve
    test_scores.npz        accuracy and NLL of each member on the whole test split
    val/, test/            compressed predictions; see `codec` and `unpack`
    val_labels.npy, test_labels.npy
    supernets/             weights and inherited-weight scores; see `supernets`
    optima.json            the best ensembles there are; see `optima`

Opening checks the digests and unpacks the predictions where that was not done before; afterwards it
costs milliseconds, and a lookup reads only its members.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ness_bench.banks import optima, supernets
from ness_bench.banks.manifest import Manifest, check_digests, read_manifest
from ness_bench.banks.plan import drawn_classes
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.banks.unpack import unpacked
from ness_bench.ensembles.oracle import Optimum
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.errors import NessBenchError
from ness_bench.files import digest
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces import nas_bench_201
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.training.recipe import Recipe


@dataclass(frozen=True)
class MemberTable:
    """Which network each row of the predictions belongs to, and what it cost.

    Attributes:
        architectures: canonical architectures [members].
        seeds: int [members]; of one architecture they are 0, 1, 2, …
        parameters: int [members], trainable parameters.
        flops: int [members], forward FLOPs for one image.
        cpu_seconds: float [members], measured where the bank was built.
        curves: float32 [members, epochs], validation accuracy after each epoch.
    """

    architectures: tuple[Architecture, ...]
    seeds: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.int64]
    flops: npt.NDArray[np.int64]
    cpu_seconds: npt.NDArray[np.float64]
    curves: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def _rows(self) -> dict[tuple[Architecture, int], int]:
        keys = zip(self.architectures, self.seeds.tolist(), strict=True)
        return {key: row for row, key in enumerate(keys)}

    def row(self, architecture: Architecture, seed: int) -> int:
        """The row of a member; the architecture may be any of its functional class.

        Raises:
            NessBenchError: the bank does not hold the member.
        """
        canonical = nas_bench_201.canonical(architecture)
        if (canonical, seed) not in self._rows:
            held = self.seeds_of(canonical)
            raise NessBenchError(
                f"the bank holds no training of {nas_bench_201.to_string(architecture)} with seed {seed}; "
                + (f"it holds seeds 0 to {held - 1} of it" if held else "it does not cover this architecture")
            )
        return self._rows[canonical, seed]

    def seeds_of(self, architecture: Architecture) -> int:
        """How many seeds the bank holds of an architecture; 0 where it does not cover it."""
        canonical = nas_bench_201.canonical(architecture)
        return sum((canonical, seed) in self._rows for seed in range(int(self.seeds.max()) + 1))


@dataclass(frozen=True)
class TestScores:
    """How well single members do on the whole test split, of whose predictions the bank keeps a part.

    Attributes:
        accuracy: float64 [members].
        nll: float64 [members], of the float predictions.
    """

    accuracy: npt.NDArray[np.float64]
    nll: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """An opened bank.

    Attributes:
        folder: where it lies.
        manifest: the content of `bank.json`.
        members: what each row is.
        val: predictions on the validation split.
        test: predictions on the first of the test split; only the harness may look.
        test_scores: on the whole test split; only the harness may look.
    """

    folder: Path
    manifest: Manifest
    members: MemberTable
    val: QuantisedPredictions
    test: QuantisedPredictions
    test_scores: TestScores

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def skeleton(self) -> Skeleton:
        return self.manifest.skeleton

    @property
    def recipe(self) -> Recipe:
        return self.manifest.recipe

    @property
    def train_examples(self) -> int:
        return self.manifest.train_examples

    @property
    def digest(self) -> str:
        """SHA-256 of `bank.json`, which holds the digests of all other files."""
        return digest(self.folder / "bank.json")

    @cached_property
    def space(self) -> Space:
        """The part of the search space that the bank covers."""
        return Space.whole().restrict(set(self.members.architectures))

    @cached_property
    def repeated(self) -> Space:
        """The part of the space that was drawn by lot to get further seeds, whatever they score."""
        plan = self.manifest.plan
        return Space.whole().restrict(drawn_classes(plan)[: plan.random_repeated])

    @cached_property
    def optima(self) -> dict[tuple[str, str, int], Optimum]:
        """The best ensembles by split, metric and size; only the harness may look."""
        return optima.read(self.folder / "optima.json")

    @cached_property
    def supernets(self) -> tuple[StoredSupernet, ...]:
        """The stored supernets, ordered by kind, length and seed."""
        folder = self.folder / "supernets"
        names = [
            name for name in self.manifest.files if name.startswith("supernets/") and name.endswith(".safetensors")
        ]
        with np.load(folder / "val_images.npz", allow_pickle=False) as arrays:
            images = arrays["images"]
        paths = [(self.folder / name).with_suffix(".npz") for name in names]
        stored = [supernets.read(path, self.skeleton, images) for path in paths]
        return tuple(sorted(stored, key=lambda supernet: (supernet.kind, supernet.epochs, supernet.seed)))


def open_bank(folder: Path) -> Bank:
    """Open a bank: its digests are checked, its predictions memory-mapped, if need be unpacked before.

    Raises:
        NessBenchError: no bank, another schema, or a file that is missing or differs from its digest.
    """
    manifest = read_manifest(folder)
    check_digests(folder, manifest)

    members = read_members(folder / "members.parquet")
    labels = {split: np.load(folder / f"{split}_labels.npy", allow_pickle=False) for split in ("val", "test")}
    bank_digest = digest(folder / "bank.json")
    predictions = unpacked(folder, bank_digest, len(members), manifest.skeleton.classes, labels)
    with np.load(folder / "test_scores.npz", allow_pickle=False) as arrays:
        test_scores = TestScores(**arrays)
    return Bank(folder, manifest, members, **predictions, test_scores=test_scores)


def read_members(path: Path) -> MemberTable:
    """The table of members in `members.parquet`."""
    from pyarrow import parquet

    columns = parquet.read_table(path).to_pydict()
    return MemberTable(
        tuple(nas_bench_201.parse(string) for string in columns["architecture"]),
        np.array(columns["seed"], np.int64),
        np.array(columns["parameters"], np.int64),
        np.array(columns["flops"], np.int64),
        np.array(columns["cpu_seconds"], np.float64),
        np.array(columns["curve"], np.float32),
    )


def write_members(path: Path, members: MemberTable) -> None:
    """Write `members.parquet`."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "architecture": [nas_bench_201.to_string(a) for a in members.architectures],
            "seed": members.seeds,
            "parameters": members.parameters,
            "flops": members.flops,
            "cpu_seconds": members.cpu_seconds,
            "curve": list(members.curves),
        }
    )
    parquet.write_table(table, path, compression="zstd")
