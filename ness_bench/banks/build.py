"""Building a bank: do what is not done yet, then assemble.

While a bank is in the making its folder is called `NAME.partial` and holds `plan.json`, what is being
built (a build with another plan refuses the folder), and the files of `jobs`. The same command, killed at
any moment, goes on where it was. The finished bank appears by a rename.

A build can be split: `shard` i of n does every n-th piece of work of the first stage, on whatever machine;
`merge` brings the partial folders together, and a build without a shard does the rest.

Which members a bank holds, each with seed 0 first:

1. the first `classes` functional classes in a seeded random order; the first `random_repeated` of them with
   `extra_seeds` further seeds, from which the spread between seeds is measured without bias;
2. the classes that the bank's DARTS supernets derive, and that of the residual block;
3. `extra_seeds` further seeds of those, and of the `best_repeated` classes of lowest validation NLL: deep
   ensembles are made of these.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ness_bench import __version__
from ness_bench.banks.assemble import assemble, remove
from ness_bench.banks.jobs import InheritedJob, Job, MemberJob, SupernetJob, load_data, train_at_once
from ness_bench.banks.plan import BuildPlan, drawn_classes
from ness_bench.data.images import DataSet
from ness_bench.engines.processes import map_processes
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.spaces.nas_bench_201 import RESNET, Architecture, canonical
from ness_bench.spaces.space import Space

Shard = tuple[int, int]
"""(i, n): the i-th of n, from 1."""

STACK = 256
"""Members that a device trains at once, unless said otherwise."""


def independent_jobs(plan: BuildPlan, partial: Path) -> tuple[list[SupernetJob], list[MemberJob]]:
    """The supernets and members that are known before anything is trained."""
    kinds = [("uniform", epochs) for epochs in plan.uniform_epochs]
    kinds += [("darts", plan.darts_epochs)] if plan.darts_epochs else []
    supernets = [SupernetJob(plan, partial, *kind, seed) for seed in range(plan.supernet_seeds) for kind in kinds]
    drawn = [MemberJob(plan, partial, architecture, 0) for architecture in drawn_classes(plan)]
    repeated, single = drawn[: plan.random_repeated], drawn[plan.random_repeated :]
    return supernets, repeated + _further(plan, repeated) + single


def _further(plan: BuildPlan, jobs: Sequence[MemberJob]) -> list[MemberJob]:
    return [replace(job, seed=seed) for seed in range(1, plan.extra_seeds + 1) for job in jobs]


def _run(job: Job) -> None:
    job.run()


def build(
    plan: BuildPlan,
    folder: Path,
    workers: int,
    begun: Callable[[str, int, int], None],
    advanced: Callable[[str], None],
    shard: Shard | None = None,
    stack: int = STACK,
) -> None:
    """Build a bank, or go on building it.

    Args:
        plan: what it is made of.
        folder: of the finished bank; `FOLDER.partial` beside it holds what is done until then.
        workers: processes.
        begun: called at the start of a stage with its name, its jobs and how many of them are done already.
        advanced: called with the stage's name after each job.
        shard: do this share of what is independent, and stop.
        stack: members that the plan's device, if it names one, trains at once.

    Raises:
        NessBenchError: the folder exists, the partial folder belongs to another plan, or the device cannot be used.
    """
    data = load_data(plan)  # bad input is told before anything is written
    partial = partial_folder(folder)
    if folder.exists() and _holds(partial, plan, data):  # killed when only the tidying was left
        remove(partial)
        return
    check(plan, folder)
    for name in ("members", "supernets", "val", "test", "optima"):
        (partial / name).mkdir(parents=True, exist_ok=True)
    write_atomically(partial / "plan.json", lambda file: file.write(description(plan, data)))

    def do(stage: str, jobs: Sequence[Job]) -> None:
        todo = [job for job in jobs if not job.path.is_file()]
        if jobs:
            begun(stage, len(jobs), len(jobs) - len(todo))
        if plan.device:
            on_device = [job for job in todo if isinstance(job, MemberJob)]
            todo = [job for job in todo if not isinstance(job, MemberJob)]
            for at_once in (on_device[first : first + stack] for first in range(0, len(on_device), stack)):
                train_at_once(at_once, plan.device)
                for _ in at_once:
                    advanced(stage)
        for _ in map_processes(_run, todo, workers):
            advanced(stage)

    supernets, members = independent_jobs(plan, partial)
    independent: list[Job] = [*supernets, *members]
    if shard is not None:
        number, of = shard
        do(f"shard {number}/{of}", independent[number - 1 :: of])
        return
    do("supernets and members", independent)
    trained = {job.architecture for job in members}
    named = [MemberJob(plan, partial, a, 0) for a in [*_derived(supernets), canonical(RESNET)] if a not in trained]
    members += named
    do("derived members, residual block", named)
    members += _chosen_seeds(plan, supernets, members)
    do("further seeds", members)
    space = Space.whole().restrict({job.architecture for job in members})
    do("inherited weights", [InheritedJob(job, space) for job in supernets])
    assemble(plan, partial, folder, members, do)


def partial_folder(folder: Path) -> Path:
    """Where a bank in the making lies.

    Raises:
        NessBenchError: `folder` has no name of its own.
    """
    if folder.name in ("", ".."):
        raise NessBenchError(f"a bank was to be called {folder}; give it a name")
    return folder.with_name(folder.name + ".partial")


def description(plan: BuildPlan, data: DataSet) -> bytes:
    """The content of `plan.json`: all that decides what is trained. Data are told by their digest, not their path."""
    content = asdict(plan) | {"data_digest": data.digest, "version": __version__}
    del content["data"]
    return (json.dumps(content, indent=1) + "\n").encode()


def _holds(partial: Path, plan: BuildPlan, data: DataSet) -> bool:
    """Whether a partial folder was begun with this plan."""
    path = partial / "plan.json"
    return path.is_file() and path.read_bytes() == description(plan, data)


def check(plan: BuildPlan, folder: Path) -> None:
    """Make sure that a build may begin, or go on.

    Raises:
        NessBenchError: the folder exists, or the partial folder is not this plan's.
    """
    data, partial = load_data(plan), partial_folder(folder)
    if folder.exists() and not _holds(partial, plan, data):
        raise NessBenchError(f"{folder} exists already; give another folder, or remove it")
    if (any(partial.glob("*.json")) or any(partial.glob("*/*"))) and not _holds(partial, plan, data):
        raise NessBenchError(
            f"{partial} holds what another build left (compare its plan.json); give the same options and data as then "
            "to go on, give another folder, or remove it"
        )


def _derived(jobs: Sequence[SupernetJob]) -> list[Architecture]:
    """The classes that the DARTS supernets stand for: on every edge the strongest operation."""
    finals = [job.alphas()[-1] for job in jobs if job.kind == "darts"]
    return list(dict.fromkeys(canonical(tuple(alphas.argmax(-1).tolist())) for alphas in finals))


def _chosen_seeds(plan: BuildPlan, supernets: Sequence[SupernetJob], members: Sequence[MemberJob]) -> list[MemberJob]:
    """Further seeds of the best, the derived and the residual block, where they have none yet."""
    first = [job for job in members if job.seed == 0]
    repeated = {job.architecture for job in members if job.seed > 0}
    best = sorted(first, key=MemberJob.val_nll)[: plan.best_repeated] if plan.best_repeated else []
    chosen = {job.architecture for job in best} | {*_derived(supernets), canonical(RESNET)}
    return _further(plan, [job for job in first if job.architecture in chosen - repeated])
