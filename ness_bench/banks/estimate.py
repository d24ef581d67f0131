"""How long a build will take, told before it begins: each kind of work is tried on a few batches and scaled up.

The time of a step is taken to grow with its images and the FLOPs of its network.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ness_bench.banks.build import Shard, independent_jobs, partial_folder
from ness_bench.banks.jobs import MemberJob, SupernetJob, load_data, skeleton_of
from ness_bench.banks.plan import LARGEST_BATCH, BuildPlan
from ness_bench.data.images import DataSet
from ness_bench.networks.skeleton import Skeleton, flops, mean_flops, mixed_flops
from ness_bench.spaces.nas_bench_201 import RESNET, prune
from ness_bench.spaces.space import Space
from ness_bench.training.fit import fit

STEPS = 8
"""Batches that a trial takes."""


def _seconds(function: Callable[[], object]) -> float:
    function()  # compiles
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def _tried(data: DataSet, skeleton: Skeleton, plan: BuildPlan, kind: str) -> float:
    """Seconds of one image pass through a network of one FLOP, forward and backward."""
    batch = plan.recipe.batch_size if kind == "member" else LARGEST_BATCH
    few = replace(data, train=data.train.first(STEPS * batch), val=data.val.first(batch), test=data.test.first(batch))
    if kind == "member":
        taken = _seconds(lambda: fit(RESNET, few, skeleton, replace(plan.recipe, epochs=1), 0))
        return taken / (len(few.train) * flops(RESNET, skeleton))
    from ness_bench.training.one_shot import darts, uniform

    if kind == "uniform":
        taken = _seconds(lambda: uniform.train(few, skeleton, uniform.UniformRecipe(epochs=1), 0))
        return taken / (len(few.train) * mean_flops(skeleton))
    taken = _seconds(lambda: darts.train(few, skeleton, darts.DartsRecipe(epochs=1), 0))
    return taken / (len(few.train) * mixed_flops(skeleton))


def estimate(plan: BuildPlan, folder: Path, workers: int, shard: Shard | None = None) -> tuple[int, float]:
    """(trainings to do, seconds that they and all else will take on so many workers).

    What lies in the partial folder already is not counted. Which members get further seeds is known only when
    the first ones are trained; they are taken to be average.
    """
    data, skeleton = load_data(plan), skeleton_of(plan)
    supernets, members = independent_jobs(plan, partial_folder(folder))
    number, of = shard or (1, 1)
    independent: list[SupernetJob | MemberJob] = [*supernets, *members]
    todo = [job for job in independent[number - 1 :: of] if not job.path.is_file()]
    mean = mean_flops(skeleton)
    full = len(data.train) * plan.recipe.epochs + (len(data.val) * plan.recipe.epochs + len(data.test)) / 3
    work = {"member": 0.0, "uniform": 0.0, "darts": 0.0}
    for job in todo:
        if isinstance(job, MemberJob):
            work["member"] += full * flops(job.architecture, skeleton)
        else:
            passes = len(data.train) * job.epochs
            work[job.kind] += passes * (mean if job.kind == "uniform" else mixed_flops(skeleton))
    trainings = len(todo)
    if shard is None:
        further = plan.extra_seeds * (plan.best_repeated + 1)
        trainings += further
        work["member"] += further * full * mean
        paths = len({prune(architecture) for architecture in Space.whole().architectures}) * plan.classes
        work["uniform"] += len(supernets) * paths / len(Space.whole().classes) * len(data.val) / 3 * mean
    seconds = sum(amount * _tried(data, skeleton, plan, kind) for kind, amount in work.items() if amount)
    return trainings, seconds / workers
