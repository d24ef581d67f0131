"""How long a build will take, told before it begins: each kind of work is tried on a few batches and scaled up.

The time of a step is taken to grow with its images and the FLOPs of its network. Trials run in a process of
their own. What it compiles stays on disk, so that every process of the build after it loads the same code: one
that compiled it would round differently; see `training.cpu.lanes.compiled`.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean

from ness_bench.banks.build import STACK, Shard, independent_jobs, partial_folder
from ness_bench.banks.jobs import MemberJob, SupernetJob, load_data, skeleton_of
from ness_bench.banks.plan import LARGEST_BATCH, BuildPlan
from ness_bench.data.images import DataSet
from ness_bench.engines.processes import apart
from ness_bench.networks.skeleton import Skeleton, flops, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import RESNET, prune
from ness_bench.spaces.space import Space
from ness_bench.training.fit import fit

STEPS = 24
"""Batches that a trial takes."""


def _seconds(train: Callable[[int], object]) -> float:
    """Of one epoch: three less one, so that what a training begins with does not count."""
    train(1)  # compiles
    taken = []
    for epochs in (1, 3):
        begin = time.perf_counter()
        train(epochs)
        taken.append(time.perf_counter() - begin)
    return max(taken[1] - taken[0], 0.0) / 2


def _tried(data: DataSet, skeleton: Skeleton, plan: BuildPlan, kind: str, workers: int, stack: int) -> float:
    """Seconds of one image pass through a network of one FLOP, forward and backward, with all workers at work."""
    batch = plan.recipe.batch_size if kind == "member" else LARGEST_BATCH
    few = replace(data, train=data.train.first(STEPS * batch), val=data.val.first(batch), test=data.test.first(batch))
    work: float  # FLOPs of the network that is tried
    if kind == "member":
        copies = 1 if plan.device else workers
        taken, work = apart(_member_trial, few, skeleton, plan, stack, copies=copies), flops(RESNET, skeleton)
    elif kind == "uniform":
        taken, work = apart(_uniform_trial, few, skeleton, copies=workers), mean_flops(skeleton)
    else:
        taken, work = apart(_darts_trial, few, skeleton, copies=workers), mixed_flops(skeleton)
    return mean(taken) / (len(few.train) * work)


def _member_trial(few: DataSet, skeleton: Skeleton, plan: BuildPlan, stack: int) -> float:
    if plan.device is None:
        return _seconds(lambda epochs: fit(RESNET, few, skeleton, replace(plan.recipe, epochs=epochs), 0))
    from ness_bench.training.stacked import fit_many

    members, device = [(RESNET, seed) for seed in range(stack)], plan.device
    return (
        _seconds(lambda epochs: fit_many(members, few, skeleton, replace(plan.recipe, epochs=epochs), device)) / stack
    )


def _uniform_trial(few: DataSet, skeleton: Skeleton) -> float:
    from ness_bench.training.one_shot import inherited
    from ness_bench.training.one_shot.kinds import recipe_of, train

    trained = train("uniform", few, skeleton, recipe_of("uniform", epochs=1), 0)
    list(inherited.predictions(trained.model, [RESNET], few.normalise(few.val.pixels)))  # compiles
    return _seconds(lambda epochs: train("uniform", few, skeleton, recipe_of("uniform", epochs), 0))


def _darts_trial(few: DataSet, skeleton: Skeleton) -> float:
    from ness_bench.training.one_shot.kinds import recipe_of, train

    return _seconds(lambda epochs: train("darts", few, skeleton, recipe_of("darts", epochs), 0))


def estimate(
    plan: BuildPlan, folder: Path, workers: int, shard: Shard | None = None, stack: int = STACK
) -> tuple[int, float]:
    """(trainings to do, seconds that they and the scores with inherited weights will take).

    What the partial folder holds of the supernets and first seeds is not counted. Which members get further seeds is
    known only when the first ones are trained: they are taken to be average, and all yet to do. Compressing the
    predictions and finding the best ensembles come on top.

    Args:
        plan, folder, shard, stack: as `build` takes them.
        workers: processes.

    Raises:
        NessBenchError: as `load_data`, or the plan's device cannot be used.
    """
    data, skeleton = load_data(plan), skeleton_of(plan)
    supernets, members = independent_jobs(plan, partial_folder(folder))
    number, of = shard or (1, 1)
    independent: list[SupernetJob | MemberJob] = [*supernets, *members]
    todo = [job for job in independent[number - 1 :: of] if not job.path.is_file()]
    average = mean_flops(skeleton)
    full = len(data.train) * plan.recipe.epochs + (len(data.val) * plan.recipe.epochs + len(data.test)) / 3
    work = {"member": 0.0, "uniform": 0.0, "darts": 0.0}
    for job in todo:
        if isinstance(job, MemberJob):
            work["member"] += full * flops(job.architecture, skeleton)
        else:
            passes = len(data.train) * job.epochs
            work[job.kind] += passes * (average if job.kind == "uniform" else mixed_flops(skeleton))
    trainings = len(todo)
    if shard is None:
        further = plan.extra_seeds * (plan.best_repeated + 1)
        trainings += further
        work["member"] += further * full * average
        paths = len({prune(architecture) for architecture in Space.whole().architectures}) * plan.classes
        work["uniform"] += len(supernets) * paths / len(Space.whole().classes) * len(data.val) / 3 * average
    seconds = {
        kind: amount * _tried(data, skeleton, plan, kind, workers, stack) for kind, amount in work.items() if amount
    }
    on_device = seconds.pop("member", 0.0) if plan.device else 0.0
    return trainings, on_device + sum(seconds.values()) / workers
