"""A trained supernet as a file in the safetensors format: its weights and, where it learned them, α.

Weights are stored as float16, which halves the file. What is stored is the supernet: inherited-weight scores
are those of the rounded weights.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ness_bench.errors import NessBenchError
from ness_bench.networks.one_shot_model import OneShotModel
from ness_bench.networks.supernets import OneShotSkeleton, skeleton_class, skeleton_of, space_of, supernet_of
from ness_bench.training.one_shot import tensor_file


@dataclass(frozen=True)
class Description:
    """What a file says of its supernet; None where it does not say.

    Attributes:
        skeleton: of the supernet.
        kind, seed: of its training.
        recipe: the fields of its recipe.
        epochs: of its training.
        data: the name of the data set it was trained on.
        data_digest: see `DataSet.digest`.
    """

    skeleton: OneShotSkeleton
    kind: str | None
    seed: int | None
    recipe: Mapping[str, Any] | None
    epochs: int | None
    data: str | None
    data_digest: str | None


def to_bytes(supernet: OneShotModel, alphas: npt.NDArray[np.float32] | None, **provenance: object) -> bytes:
    """The content of the file.

    Args:
        alphas: architecture parameters, float32 [epochs + 1, edges, operations], or None.
        provenance: what the file's header is to tell beside the skeleton, such as kind, seed, recipe, data and
            data_digest; as JSON.
    """
    tensors = {name: weight.half() for name, weight in supernet.state_dict().items()}
    if alphas is not None:
        tensors["alphas"] = torch.from_numpy(alphas)
    skeleton = skeleton_of(supernet)
    return tensor_file.to_bytes(tensors, {"space": space_of(skeleton), "skeleton": asdict(skeleton), **provenance})


def _skeleton(path: Path, header: Mapping[str, Any]) -> OneShotSkeleton:
    if "skeleton" not in header:
        raise NessBenchError(f"{path} holds no supernet: its header names no skeleton; restore it or train one")
    try:
        return skeleton_class(header.get("space", "nas-bench-201"))(**header["skeleton"])
    except (KeyError, TypeError) as error:
        raise NessBenchError(f"{path} holds no supernet of a known space ({error}); restore it or train one") from None


def describe(path: Path) -> Description:
    """What a file says of its supernet, without reading the weights.

    Raises:
        NessBenchError: the file cannot be read, or holds no supernet.
    """
    header = tensor_file.read_header(path)
    recipe = header.get("recipe")
    return Description(
        _skeleton(path, header),
        header.get("kind"),
        header.get("seed"),
        recipe,
        recipe.get("epochs") if isinstance(recipe, dict) else None,
        header.get("data"),
        header.get("data_digest"),
    )


def load(path: Path, skeleton: OneShotSkeleton) -> tuple[OneShotModel, npt.NDArray[np.float32] | None]:
    """The supernet in a file and its α, None where it has none.

    Raises:
        NessBenchError: the file cannot be read, or its supernet is of another skeleton.
    """
    header, tensors = tensor_file.read(path)
    held = _skeleton(path, header)
    if held != skeleton:
        raise NessBenchError(
            f"{path} holds a supernet of {held}, but {skeleton} was asked for; "
            "load it with the skeleton that it was trained with, or train one for this skeleton"
        )
    alphas = tensors.pop("alphas", None)
    supernet = supernet_of(skeleton)
    try:
        supernet.load_state_dict(tensors)
    except RuntimeError as error:
        raise NessBenchError(f"{path} is damaged ({error}); restore it or train the supernet again") from None
    return supernet, None if alphas is None else alphas.numpy()
