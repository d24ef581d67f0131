"""Checkpoints of supernet trainings: one file that a training goes on from as if it had never stopped.

The file is in the safetensors format. Its tensors are the state of the training (weights, momentum, α and its history,
Adam's moments, the random state), its header says of which training, and after which epoch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ness_bench import __version__
from ness_bench.data.images import DataSet
from ness_bench.errors import NessBenchError
from ness_bench.files import write_atomically
from ness_bench.networks.supernets import OneShotSkeleton, space_of
from ness_bench.training.one_shot import tensor_file
from ness_bench.training.one_shot.recipe import WeightRecipe
from ness_bench.training.one_shot.training import Training


@dataclass(frozen=True)
class Identity:
    """What decides the result of a training, as JSON has it.

    Attributes:
        version: of ness_bench.
        kind, engine, seed: of the training.
        recipe: its fields.
        space: of the supernet's cells.
        skeleton: its fields.
        data: the data set's name.
        data_digest: see `DataSet.digest`.
    """

    version: str
    kind: str
    engine: str
    seed: int
    recipe: dict[str, Any]
    space: str
    skeleton: dict[str, Any]
    data: str
    data_digest: str

    @staticmethod
    def of(
        kind: str, engine: str, seed: int, recipe: WeightRecipe, skeleton: OneShotSkeleton, data: DataSet
    ) -> "Identity":
        fields = json.loads(json.dumps(asdict(recipe)))  # tuples as they are read back
        space = space_of(skeleton)
        return Identity(__version__, kind, engine, seed, fields, space, asdict(skeleton), data.name, data.digest)


def _differences(held: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """`what HELD, not ASKED` for every value that differs."""
    found = []
    for name in sorted({*held, *asked}):
        old, new = held.get(name), asked.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{name}.{difference}" for difference in _differences(old, new)]
        elif old != new:
            found.append(f"{name} {old!r}, not {new!r}")
    return found


def write(path: Path, identity: Identity, epoch: int, training: Training) -> None:
    """Keep the state of a training after an epoch; the file that was there stays until the new one is whole."""
    content = tensor_file.to_bytes(training.state(), {"checkpoint": asdict(identity), "epoch": epoch})
    write_atomically(path, lambda file: file.write(content))


def resume(path: Path, identity: Identity, training: Training) -> int:
    """Bring a new training to where the file was written; the epoch after which that was.

    Raises:
        NessBenchError: the file is damaged, is no checkpoint, or is one of another training.
    """
    header, state = tensor_file.read(path)
    if not isinstance(header.get("checkpoint"), dict) or not isinstance(header.get("epoch"), int):
        raise NessBenchError(f"{path} is no checkpoint of a supernet training; give another path, or remove the file")
    differences = _differences(header["checkpoint"], asdict(identity))
    if differences:
        raise NessBenchError(
            f"{path} is a checkpoint of another training: its {'; its '.join(differences)}; "
            "give another path, or remove the file to start anew"
        )
    try:
        training.restore(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise NessBenchError(f"{path} is damaged ({error}); remove it to start anew") from None
    return int(header["epoch"])
