"""Gathering finished members and supernets into the files of a bank.

Members lie in chunks, in the order in which the build names them; within a chunk they are sorted by
validation accuracy, since neighbours that are alike compress better. A longer build thus begins with the
same chunks.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ness_bench.banks import codec, optima
from ness_bench.banks.bank import MemberTable, write_members
from ness_bench.banks.jobs import Do, MemberJob, load_data, skeleton_of
from ness_bench.banks.manifest import SCHEMA, Distortion, Manifest
from ness_bench.banks.plan import BuildPlan
from ness_bench.banks.unpack import chunk_name, chunks
from ness_bench.data.images import DataSet
from ness_bench.ensembles.metrics import accuracy, nll
from ness_bench.ensembles.quantised import TOTAL
from ness_bench.files import digest, write_atomically
from ness_bench.networks.skeleton import flops, parameters
from ness_bench.spaces.space import Space

DISTORTION_ENSEMBLES, DISTORTION_SIZE = 200, 5


@dataclass(frozen=True)
class ChunkJob:
    """Compress the predictions of a chunk of members on one split.

    Attributes:
        labels: int64 [examples] of the examples whose predictions are kept, the split's first.
    """

    folder: Path
    split: str
    chunk: int
    members: tuple[MemberJob, ...]
    labels: npt.NDArray[np.int64]

    @property
    def path(self) -> Path:
        return self.folder / chunk_name(self.split, self.chunk)

    def run(self) -> None:
        codes = np.stack([codec.encode(job.read()[self.split][: len(self.labels)]) for job in self.members])
        content = codec.compress(codes, self.labels)
        write_atomically(self.path, lambda file: file.write(content))


@dataclass(frozen=True)
class _Scored:
    """What a bank tells of a member beside its predictions."""

    cpu_seconds: float
    curve: npt.NDArray[np.float32]
    test_accuracy: float
    test_nll: float


def assemble(
    plan: BuildPlan,
    partial: Path,
    folder: Path,
    jobs: Sequence[MemberJob],
    do: Do,
) -> None:
    """Write a bank from the members that `jobs` trained and the supernets in `partial`, and give it its name.

    Args:
        do: does the jobs of a stage that are not done yet.
    """
    data, skeleton = load_data(plan), skeleton_of(plan)
    whole = folder.with_name(folder.name + ".whole")
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(partial / "supernets", whole / "supernets", ignore=shutil.ignore_patterns(".*"))

    labels = {"val": data.val.labels, "test": data.test.labels[: plan.test_examples]}
    scored = {job: _score(job, data) for job in jobs}
    ordered: list[MemberJob] = []
    chunk_jobs = []
    for chunk, rows in chunks(len(jobs)):
        ordered += sorted(jobs[rows], key=lambda job: scored[job].curve[-1])
        chunk_jobs += [ChunkJob(partial, split, chunk, tuple(ordered[rows]), labels[split]) for split in labels]
    do("compressing predictions", chunk_jobs)
    optima_jobs = optima.optimum_jobs(partial, len(jobs), skeleton.classes, labels)
    do("best ensembles", optima_jobs)
    optima.write(whole / "optima.json", optima_jobs)
    for split, of_split in labels.items():
        shutil.copytree(partial / split, whole / split, ignore=shutil.ignore_patterns(".*"))
        np.save(whole / f"{split}_labels.npy", of_split)
    members = MemberTable(
        tuple(job.architecture for job in ordered),
        np.array([job.seed for job in ordered]),
        np.array([parameters(job.architecture, skeleton) for job in ordered]),
        np.array([flops(job.architecture, skeleton) for job in ordered]),
        np.array([scored[job].cpu_seconds for job in ordered]),
        np.stack([scored[job].curve for job in ordered]),
    )
    write_members(whole / "members.parquet", members)
    accuracies, nlls = ([getattr(scored[job], score) for job in ordered] for score in ("test_accuracy", "test_nll"))
    np.savez_compressed(whole / "test_scores.npz", accuracy=accuracies, nll=nlls)
    np.savez_compressed(whole / "supernets" / "val_images.npz", images=data.normalise(data.val.pixels))
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    manifest = Manifest.model_validate(
        {
            "schema": SCHEMA,
            "name": folder.name,
            "space": Space.whole().name,
            "data": data.name,
            "data_digest": data.digest,
            "class_names": data.class_names,
            "train_examples": len(data.train),
            "test_examples": len(data.test),
            "skeleton": skeleton,
            "recipe": plan.recipe,
            "codec": {"name": codec.NAME, "levels": codec.LEVELS},
            "distortion": tuple(_distortion(ordered, labels["test"])),
            "plan": plan,
            "versions": {package: version(package) for package in ("ness_bench", "numpy", "numba", "torch")},
            "files": {path.relative_to(whole).as_posix(): digest(path) for path in files},
        }
    )
    content = manifest.model_dump_json(indent=1, by_alias=True) + "\n"
    write_atomically(whole / "bank.json", lambda file: file.write(content.encode()))
    whole.rename(folder)
    remove(partial)


def remove(partial: Path) -> None:
    """Remove a partial folder, `plan.json` last: until then it tells whose it is."""
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    shutil.rmtree(partial)


def _score(job: MemberJob, data: DataSet) -> _Scored:
    result, labels = job.read(), data.test.labels
    return _Scored(
        float(result["cpu_seconds"]), result["curve"], accuracy(result["test"], labels), nll(result["test"], labels)
    )


def _distortion(jobs: Sequence[MemberJob], labels: npt.NDArray[np.int64]) -> Iterator[Distortion]:
    """What the codes change: for single members, and for random ensembles."""
    rng = np.random.default_rng(0)
    for size in (1, min(DISTORTION_SIZE, len(jobs))):
        changes = []
        for rows in (rng.choice(len(jobs), size, replace=False) for _ in range(DISTORTION_ENSEMBLES)):
            before = np.stack([jobs[row].read()["test"][: len(labels)] for row in rows])
            codes = codec.encode(before)
            after = codec.units(codes.reshape(-1, codes.shape[-1])).reshape(codes.shape) / TOTAL
            changes.append([score(after.mean(0), labels) - score(before.mean(0), labels) for score in (nll, accuracy)])
        nlls, accuracies = np.array(changes).T
        yield Distortion(
            size=size,
            ensembles=len(changes),
            nll_mean=float(nlls.mean()),
            nll_sd=float(nlls.std()),
            accuracy_mean_absolute=float(np.abs(accuracies).mean()),
        )
