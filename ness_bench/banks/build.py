"""Building a bank: train members one by one, keep each as a file of its own, assemble when all are there.

While a bank is in the making its folder is called `NAME.partial` and holds

    plan.json               what is being built; a build with another plan refuses the folder
    members/ARCH-SEED.npz   a trained member: codes, curve, seconds
    supernets/              trained supernets

Each file appears whole, by a rename, so that a build killed at any moment loses what was in the making
and nothing else: the same command goes on where it was. The finished bank appears by a rename, too.

Which members a bank holds:

1. one training, seed 0, of the first `classes` functional classes in a seeded random order, and of each
   class that one of the bank's DARTS supernets derives;
2. `extra_seeds` further seeds of the derived classes, of the `best_repeated` classes whose seed 0 has the
   lowest validation NLL (deep ensembles are made of these), and of the first `random_repeated` classes of
   the random order (from which the spread between seeds is measured without bias).
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ness_bench.banks import codec, supernets
from ness_bench.banks.bank import MemberTable, write_members
from ness_bench.banks.manifest import SCHEMA, Manifest
from ness_bench.banks.plan import BuildPlan
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.data.images import DataSet
from ness_bench.data.named import load_named
from ness_bench.engines.processes import map_processes
from ness_bench.ensembles.metrics import nll, true_class
from ness_bench.errors import NessBenchError
from ness_bench.files import digest, write_atomically
from ness_bench.networks.skeleton import Skeleton, flops, parameters
from ness_bench.spaces.nas_bench_201 import Architecture, canonical, prune
from ness_bench.spaces.space import Space
from ness_bench.training.fit import fit

ORDER_SEED = 0
"""Of the random order in which classes enter a bank: a longer bank holds all that a shorter one does."""


@lru_cache(maxsize=1)
def load_data(plan: BuildPlan) -> DataSet:
    """The plan's data set, cut to its numbers of examples.

    Raises:
        NessBenchError: the data set is unknown or smaller.
    """
    data = load_named(plan.data)
    for split, asked in (("train", plan.train_examples), ("test", plan.test_examples)):
        images = getattr(data, split)
        if not 1 <= asked <= len(images):
            raise NessBenchError(f"{asked} {split} examples were asked for; {plan.data} has 1 to {len(images)}")
        data = replace(data, **{split: images.first(asked)})
    return data


def skeleton_of(plan: BuildPlan) -> Skeleton:
    """The skeleton that fits the plan's data."""
    data = load_data(plan)
    _, height, _, channels = data.train.pixels.shape
    return Skeleton(plan.channels, plan.cells, channels, len(data.class_names), height)


def drawn_classes(plan: BuildPlan) -> list[Architecture]:
    """The first `classes` functional classes in the seeded random order."""
    classes = sorted(Space.whole().classes)
    order = np.random.default_rng(ORDER_SEED).permutation(len(classes))
    return [classes[row] for row in order[: plan.classes]]


@dataclass(frozen=True)
class MemberJob:
    """Train one member and keep it."""

    plan: BuildPlan
    folder: Path
    architecture: Architecture
    seed: int

    @property
    def path(self) -> Path:
        return self.folder / "members" / f"{''.join(map(str, self.architecture))}-{self.seed}.npz"

    def run(self) -> None:
        skeleton = skeleton_of(self.plan)
        fitted = fit(self.architecture, load_data(self.plan), skeleton, self.plan.recipe, self.seed)
        arrays: dict[str, Any] = {
            "val": codec.encode(fitted.val),
            "test": codec.encode(fitted.test),
            "curve": fitted.curve,
            "cpu_seconds": np.array(fitted.cpu_seconds),
        }
        write_atomically(self.path, lambda file: np.savez_compressed(file, **arrays))

    def read(self) -> dict[str, npt.NDArray[Any]]:
        with np.load(self.path, allow_pickle=False) as arrays:
            return dict(arrays)

    def val_nll(self, labels: npt.NDArray[np.int64]) -> float:
        return nll(codec.decode(self.read()["val"]), labels)


@dataclass(frozen=True)
class SupernetJob:
    """Train one supernet and keep its weights and, where it learns them, α."""

    plan: BuildPlan
    folder: Path
    kind: str
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.epochs}-seed{self.seed}"

    @property
    def path(self) -> Path:
        return self.folder / "supernets" / f"{self.name}.safetensors"

    def run(self) -> None:
        from ness_bench.training.one_shot import darts, uniform, weights

        data, skeleton = load_data(self.plan), skeleton_of(self.plan)
        recipe: uniform.UniformRecipe | darts.DartsRecipe
        if self.kind == "uniform":
            recipe = uniform.UniformRecipe(epochs=self.epochs)
            supernet, alphas = uniform.train(data, skeleton, recipe, self.seed), None
        else:
            recipe = darts.DartsRecipe(epochs=self.epochs)
            supernet, alphas = darts.train(data, skeleton, recipe, self.seed)
        content = weights.to_bytes(supernet, alphas, kind=self.kind, seed=self.seed, recipe=asdict(recipe))
        write_atomically(self.path, lambda file: file.write(content))

    def alphas(self) -> npt.NDArray[np.float32]:
        """α before the first and after each epoch of a DARTS supernet."""
        from ness_bench.training.one_shot import weights

        _, alphas = weights.load(self.path, skeleton_of(self.plan))
        assert alphas is not None, "DARTS learns α"
        return alphas


@dataclass(frozen=True)
class InheritedJob:
    """Predict the validation split with the weights that each architecture inherits from a supernet."""

    supernet: SupernetJob
    space: Space

    @property
    def path(self) -> Path:
        return self.supernet.path.with_suffix(".npz")

    def run(self) -> None:
        from ness_bench.training.one_shot import inherited, weights

        job, data = self.supernet, load_data(self.supernet.plan)
        supernet, alphas = weights.load(job.path, skeleton_of(job.plan))
        pixels, labels = data.normalise(data.val.pixels), data.val.labels
        architectures = sorted({prune(architecture) for architecture in self.space.architectures})
        likelihoods = [
            true_class(inherited.probabilities(supernet, architecture, pixels), labels)
            for architecture in architectures
        ]
        stored = StoredSupernet(
            job.kind,
            job.epochs,
            job.seed,
            job.epochs * len(data.train),
            np.array(architectures, np.int8),
            codec.encode(np.array(likelihoods, np.float32)),
            alphas,
        )
        write_atomically(self.path, lambda file: supernets.write(file, stored))


Job = MemberJob | SupernetJob | InheritedJob


def _run(job: Job) -> None:
    job.run()


Begun = Callable[[str, int, int], None]
"""Called at the start of a stage with its name, its jobs and how many are done already."""


def build(plan: BuildPlan, folder: Path, workers: int, begun: Begun, advanced: Callable[[str], None]) -> None:
    """Build a bank, or go on building it.

    Args:
        plan: what it is made of.
        folder: of the finished bank; `FOLDER.partial` beside it holds what is done until then.
        workers: processes.
        begun: told of each stage.
        advanced: called with the stage's name after each job.

    Raises:
        NessBenchError: the folder exists, or the partial folder belongs to another plan.
    """
    load_data(plan)  # bad input is told before anything is written
    partial = folder.with_name(folder.name + ".partial")
    if folder.exists() and _holds(partial, plan):  # killed when only the tidying was left
        shutil.rmtree(partial)
        return
    _claim(plan, folder, partial)

    def do(stage: str, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        todo = [job for job in jobs if not job.path.is_file()]
        begun(stage, len(jobs), len(jobs) - len(todo))
        for _ in map_processes(_run, todo, workers):
            advanced(stage)

    kinds = [("uniform", epochs) for epochs in plan.uniform_epochs]
    kinds += [("darts", plan.darts_epochs)] if plan.darts_epochs else []
    supernet_jobs = [SupernetJob(plan, partial, *kind, seed) for seed in range(plan.supernet_seeds) for kind in kinds]
    drawn = [MemberJob(plan, partial, architecture, 0) for architecture in drawn_classes(plan)]
    do("supernets and members, seed 0", [*supernet_jobs, *drawn])

    derived = _derived(supernet_jobs)
    first = drawn + [MemberJob(plan, partial, a, 0) for a in derived if a not in {job.architecture for job in drawn}]
    do("derived members", first[len(drawn) :])
    further = [replace(job, seed=seed) for seed in range(1, plan.extra_seeds + 1) for job in _repeated(first, derived)]
    do("members, further seeds", further)
    space = Space.whole().restrict({job.architecture for job in first})
    do("inherited weights", [InheritedJob(job, space) for job in supernet_jobs])
    _assemble(plan, partial, folder, [*first, *further])


def _description(plan: BuildPlan) -> bytes:
    return (json.dumps(asdict(plan), indent=1) + "\n").encode()


def _holds(partial: Path, plan: BuildPlan) -> bool:
    """Whether a partial folder was begun with this plan."""
    path = partial / "plan.json"
    return path.is_file() and path.read_bytes() == _description(plan)


def _claim(plan: BuildPlan, folder: Path, partial: Path) -> None:
    """Make the partial folder, or check that it is this plan's."""
    if folder.exists():
        raise NessBenchError(f"{folder} exists already; give another folder, or remove it")
    path = partial / "plan.json"
    if path.is_file() and not _holds(partial, plan):
        raise NessBenchError(
            f"{partial} holds what another build left (compare {path}); give the same options as then to go on, "
            "give another folder, or remove it"
        )
    for name in ("members", "supernets"):
        (partial / name).mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(_description(plan)))


def _derived(jobs: Sequence[SupernetJob]) -> list[Architecture]:
    """The classes that the DARTS supernets stand for: on every edge the strongest operation."""
    finals = [job.alphas()[-1] for job in jobs if job.kind == "darts"]
    return list(dict.fromkeys(canonical(tuple(alphas.argmax(-1).tolist())) for alphas in finals))


def _repeated(first: Sequence[MemberJob], derived: Sequence[Architecture]) -> list[MemberJob]:
    """Those of the seed-0 members that get further seeds."""
    plan = first[0].plan
    labels = load_data(plan).val.labels
    ranked = sorted(first[: plan.classes], key=lambda job: job.val_nll(labels))
    chosen = {job.architecture for job in ranked[: plan.best_repeated]} | set(derived)
    chosen |= {job.architecture for job in first[: plan.random_repeated]}
    return [job for job in first if job.architecture in chosen]


def _assemble(plan: BuildPlan, partial: Path, folder: Path, jobs: Sequence[MemberJob]) -> None:
    """Gather finished members into the bank's files and give the folder its name."""
    data, skeleton = load_data(plan), skeleton_of(plan)
    whole = folder.with_name(folder.name + ".whole")
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    shutil.copytree(partial / "supernets", whole / "supernets", ignore=shutil.ignore_patterns(".*"))
    parts = [job.read() for job in jobs]
    for split in ("val", "test"):
        np.save(whole / f"{split}.npy", np.stack([part[split] for part in parts]))
        np.save(whole / f"{split}_labels.npy", getattr(data, split).labels)
    members = MemberTable(
        tuple(job.architecture for job in jobs),
        np.array([job.seed for job in jobs]),
        np.array([parameters(job.architecture, skeleton) for job in jobs]),
        np.array([flops(job.architecture, skeleton) for job in jobs]),
        np.array([part["cpu_seconds"] for part in parts]),
        np.stack([part["curve"] for part in parts]),
    )
    write_members(whole / "members.parquet", members)
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    manifest = Manifest.model_validate(
        {
            "schema": SCHEMA,
            "name": folder.name,
            "space": Space.whole().name,
            "data": data.name,
            "class_names": data.class_names,
            "train_examples": len(data.train),
            "skeleton": skeleton,
            "recipe": plan.recipe,
            "codec": {"name": codec.NAME, "levels": codec.LEVELS},
            "plan": plan,
            "versions": {package: version(package) for package in ("ness_bench", "numpy", "numba", "torch")},
            "files": {path.relative_to(whole).as_posix(): digest(path) for path in files},
        }
    )
    content = manifest.model_dump_json(indent=1, by_alias=True) + "\n"
    write_atomically(whole / "bank.json", lambda file: file.write(content.encode()))
    whole.rename(folder)
    shutil.rmtree(partial)
