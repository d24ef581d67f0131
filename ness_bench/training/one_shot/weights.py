"""A trained supernet as a file in the safetensors format: its weights and, where it learned them, α.

Weights are stored as float16, which halves the file. What is stored is the supernet: inherited-weight scores
are those of the rounded weights.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet


def to_bytes(supernet: Supernet, alphas: npt.NDArray[np.float32] | None, **provenance: object) -> bytes:
    """The content of the file.

    Args:
        alphas: architecture parameters, float32 [epochs + 1, edges, operations], or None.
        provenance: what the file's header is to tell beside the skeleton, such as kind, seed and recipe; as JSON.
    """
    tensors = {name: weight.half() for name, weight in supernet.state_dict().items()}
    if alphas is not None:
        tensors["alphas"] = torch.from_numpy(alphas)
    header = {"skeleton": asdict(supernet.skeleton), **provenance}
    return save(tensors, {name: json.dumps(value) for name, value in header.items()})


def load(path: Path, skeleton: Skeleton) -> tuple[Supernet, npt.NDArray[np.float32] | None]:
    """The supernet in a file and its α, None where it has none.

    Raises:
        NessBenchError: the file cannot be read, or its supernet is of another skeleton.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except (OSError, SafetensorError) as error:
        raise NessBenchError(f"{path} cannot be read ({error}); restore it or train the supernet again") from None
    if "skeleton" not in header:
        raise NessBenchError(f"{path} holds no supernet: its header names no skeleton; restore it or train one")
    held = Skeleton(**json.loads(header["skeleton"]))
    if held != skeleton:
        raise NessBenchError(
            f"{path} holds a supernet of {held}, but {skeleton} was asked for; "
            "load it with the skeleton that it was trained with, or train one for this skeleton"
        )
    alphas = tensors.pop("alphas", None)
    supernet = Supernet(skeleton)
    supernet.load_state_dict(tensors)
    return supernet, None if alphas is None else alphas.numpy()
