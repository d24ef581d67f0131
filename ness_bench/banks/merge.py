"""Bringing together what the shards of a build have done."""

import json
from collections.abc import Sequence
from pathlib import Path

from ness_bench.banks.build import partial_folder
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically


def merge(shards: Sequence[Path], folder: Path) -> int:
    """Copy what shards have trained to `FOLDER.partial`, from where a build goes on.

    Args:
        shards: partial folders of builds of one plan, on the same data.
        folder: of the bank in the making; what its partial folder holds already, stays.

    Returns:
        How many files were copied.

    Raises:
        NessBenchError: a folder is no shard, or the shards' plans, recipes or data differ.
    """
    partial = partial_folder(folder)
    if folder.exists():
        raise NessBenchError(f"{folder} exists already; give another folder, or remove it")
    plans = {shard: _plan(shard) for shard in (*shards, *([partial] if partial.exists() else []))}
    first, expected = next(iter(plans.items()))
    for shard, plan in plans.items():
        differing = sorted(key for key in expected.keys() | plan.keys() if expected.get(key) != plan.get(key))
        if differing:
            key = differing[0]
            raise NessBenchError(
                f"{shard} and {first} are shards of different builds: {key} is {plan.get(key)} and "
                f"{expected.get(key)}; merge shards that were built with the same options on the same data"
            )
    _copy(first / "plan.json", partial / "plan.json")  # first: it says whose the folder is, should this be killed
    copied = 0
    for shard in shards:
        for source in sorted([*shard.glob("members/[!.]*"), *shard.glob("supernets/[!.]*")]):
            target = partial / source.relative_to(shard)
            if not target.exists():
                _copy(source, target)
                copied += 1
    return copied


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes()
    write_atomically(target, lambda file: file.write(content))


def _plan(shard: Path) -> dict[str, object]:
    path = shard / "plan.json"
    try:
        plan = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise NessBenchError(
            f"{shard} is no shard of a build: {path.name} cannot be read ({error}); give folders that "
            "`ness-bench bank build --shard` left, called NAME.partial"
        ) from None
    if not isinstance(plan, dict):
        raise NessBenchError(f"{path} is damaged: it describes no plan; build the shard again")
    return plan
