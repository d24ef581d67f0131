"""A supernet outside of a bank: a folder that it is trained into and scored in, and that a bank may take it from.

checkpoint.safetensors   while it is trained: all that going on needs
supernet.safetensors     the finished supernet: weights, α where it has one, and how it was made
supernet.npz             how every architecture does with inherited weights; see `supernets`
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ness_bench.banks import supernets
from ness_bench.banks.manifest import Manifest, read_manifest
from ness_bench.banks.supernets import StoredSupernet
from ness_bench.data.images import DataSet
from ness_bench.engines.processes import map_processes
from ness_bench.errors import NessBenchError
from ness_bench.files import digest, write_atomically
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernets import OneShotSkeleton
from ness_bench.spaces.nas_bench_201 import Architecture, architectures, prune
from ness_bench.training.one_shot import inherited, kinds, weights
from ness_bench.training.one_shot.recipe import WeightRecipe

CHECKPOINT, WEIGHTS, SCORES = "checkpoint.safetensors", "supernet.safetensors", "supernet.npz"

CHUNK = 100
"""Architectures that are scored at a time."""


def train(
    folder: Path,
    data: DataSet,
    skeleton: OneShotSkeleton,
    kind: str,
    recipe: WeightRecipe,
    seed: int,
    done: Callable[[int, float], object],
) -> Path:
    """Train a supernet into a folder, or go on training it; nothing is left to do where it is finished.

    Args:
        done: is called after each epoch with its number, from 1, and its mean loss.

    Returns:
        The file of the finished supernet.

    Raises:
        TrainingDivergedError: a loss or a weight is not finite.
        NessBenchError: the folder holds something else, or see `kinds.train`.
    """
    made = {"kind": kind, "seed": seed, "recipe": asdict(recipe), "data": data.name, "data_digest": data.digest}
    path = folder / WEIGHTS
    if path.exists():
        held = weights.describe(path)
        differing = [name for name, value in json.loads(json.dumps(made)).items() if getattr(held, name) != value]
        if differing or held.skeleton != skeleton:
            raise NessBenchError(
                f"{folder} holds a finished supernet of another {', '.join(differing) or 'skeleton'}; give another "
                "--out, or remove the folder"
            )
        return path
    if folder.exists() and not (
        folder.is_dir() and all(p.name.startswith((".", CHECKPOINT)) for p in folder.iterdir())
    ):
        raise NessBenchError(f"{folder} is neither an empty folder nor one of a supernet; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    trained = kinds.train(kind, data, skeleton, recipe, seed, checkpoint=folder / CHECKPOINT, done=done)
    content = weights.to_bytes(trained.model, trained.alphas, **made)
    write_atomically(path, lambda file: file.write(content))
    (folder / CHECKPOINT).unlink()
    return path


def describe(folder: Path) -> weights.Description:
    """What a folder's supernet is.

    Raises:
        NessBenchError: there is no finished supernet, or its file is damaged.
    """
    if not (folder / WEIGHTS).is_file():
        begun = " (its training has begun: the same command goes on)" if (folder / CHECKPOINT).exists() else ""
        raise NessBenchError(
            f"{folder} holds no finished supernet: {WEIGHTS} is missing; `ness-bench supernet train` makes one{begun}"
        )
    return weights.describe(folder / WEIGHTS)


def score(
    folder: Path, data: DataSet, workers: int, begun: Callable[[int], object], advanced: Callable[[int], object]
) -> StoredSupernet:
    """How every architecture of NAS-Bench-201 does with inherited weights; computed once, then read.

    Args:
        data: that the supernet was trained on.
        workers: processes.
        begun: is called with the number of architectures, if they are not scored yet.
        advanced: is called with how many more have been scored.

    Raises:
        NessBenchError: there is no such supernet, it is of other data or of another space, or its scores are damaged.
    """
    held = describe(folder)
    if not isinstance(held.skeleton, Skeleton) or held.kind is None or held.seed is None or held.epochs is None:
        raise NessBenchError(f"{folder} holds a supernet of another space than NAS-Bench-201, or does not say which")
    require_trained_on(held, data, folder)
    images = data.normalise(data.val.pixels)
    path = folder / SCORES
    if not path.is_file():
        paths = sorted({prune(architecture) for architecture in architectures()})
        begun(len(paths))
        jobs = [paths[first : first + CHUNK] for first in range(0, len(paths), CHUNK)]
        scored = {}
        model, alphas = weights.load(folder / WEIGHTS, held.skeleton)
        work = partial(_score, model, images, data.val.labels)
        for job, arrays, _ in map_processes(work, jobs, workers):
            scored[job[0]] = arrays
            advanced(len(job))
        ordered = [scored[job[0]] for job in jobs]
        joined = {name: np.concatenate([arrays[name] for arrays in ordered]) for name in ordered[0]}
        passes = held.epochs * len(data.train)
        content = supernets.content(joined, paths, held.kind, held.epochs, held.seed, passes, alphas)
        write_atomically(path, lambda file: np.savez_compressed(file, **content))
    return supernets.read(path, held.skeleton, images)


def require_trained_on(held: weights.Description, data: DataSet, folder: Path) -> None:
    """Refuse a data set other than the one that a supernet was trained on.

    Raises:
        NessBenchError: it is another.
    """
    if held.data_digest != data.digest:
        raise NessBenchError(
            f"{folder} holds a supernet of {held.data}, whose images differ from those of {data.name} as given; name "
            "the data set, and as many examples of it, that it was trained on"
        )


def _score(
    model: OneShotModel, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], paths: list[Architecture]
) -> dict[str, npt.NDArray[Any]]:
    return supernets.scores(partial(inherited.predictions, model, paths), images, labels)


def add(folder: Path, bank: Path) -> str:
    """Take a scored supernet into a bank, where searches can then buy it.

    Returns:
        Its name there.

    Raises:
        NessBenchError: the bank is of other data or another skeleton, or has such a supernet; the supernet is of
            another recipe than its kind's, has not been scored, or its scores are damaged.
    """
    held, manifest = describe(folder), read_manifest(bank)
    require_same(held, manifest, folder, bank)
    if not (folder / SCORES).is_file():
        raise NessBenchError(f"{folder} has not been scored; run `ness-bench supernet evaluate {folder}` before")
    supernets.read_scores(folder / SCORES)
    usual = json.loads(json.dumps(asdict(kinds.recipe_of(str(held.kind), held.epochs))))
    if held.recipe != usual:
        changed = [name for name in usual if held.recipe is None or held.recipe.get(name) != usual[name]]
        raise NessBenchError(
            f"{folder} holds a supernet of another {', '.join(changed)} than the others of its kind, which searches "
            "could not tell it from; train it without changes"
        )
    name = f"{held.kind}-{held.epochs}-seed{held.seed}"
    targets = {source: f"supernets/{name}{Path(source).suffix}" for source in (WEIGHTS, SCORES)}
    if any(target in manifest.files for target in targets.values()):
        raise NessBenchError(f"bank {bank} has a supernet {name} already; train one with another seed or other epochs")
    for source, target in targets.items():
        content = (folder / source).read_bytes()
        write_atomically(bank / target, lambda file, content=content: file.write(content))  # type: ignore[misc]
    files = manifest.files | {target: digest(bank / target) for target in targets.values()}
    grown = manifest.model_copy(update={"files": dict(sorted(files.items()))})
    text = grown.model_dump_json(indent=1, by_alias=True) + "\n"
    write_atomically(bank / "bank.json", lambda file: file.write(text.encode()))
    return name


def require_same(held: weights.Description, manifest: Manifest, folder: Path, bank: Path) -> None:
    """Refuse a bank whose networks were trained on other images, or are of another skeleton, than a supernet.

    Raises:
        NessBenchError: they are.
    """
    if held.skeleton != manifest.skeleton:
        raise NessBenchError(
            f"{folder} holds a supernet of {held.skeleton}, but the networks of bank {bank} are of "
            f"{manifest.skeleton}; give a bank of the same skeleton"
        )
    if held.data_digest != manifest.data_digest:
        raise NessBenchError(
            f"{folder} holds a supernet of {held.data} (digest {str(held.data_digest)[:12]}…), but bank {bank} is of "
            f"{manifest.data} ({manifest.data_digest[:12]}…); give a bank of the same images"
        )
