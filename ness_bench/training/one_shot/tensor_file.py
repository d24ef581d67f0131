"""Files in the safetensors format with a header of JSON values: no code is run in reading them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ness_bench.errors import NessBenchError


def to_bytes(tensors: Mapping[str, Tensor], header: Mapping[str, object]) -> bytes:
    """The content of a file, the same for the same values."""
    held = {name: tensor.contiguous() for name, tensor in tensors.items()}
    content = save(held, {name: json.dumps(value) for name, value in header.items()})
    # The library writes the header's values in a random order: they are sorted here.
    start = 8 + int.from_bytes(content[:8], "little")
    told = json.loads(content[8:start])
    told["__metadata__"] = dict(sorted(told["__metadata__"].items()))
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[start:]


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file.

    Raises:
        NessBenchError: the file is missing or damaged.
    """
    header, _ = _read(path, with_tensors=False)
    return header


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a file.

    Raises:
        NessBenchError: the file is missing or damaged.
    """
    return _read(path, with_tensors=True)


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            names = file.keys() if with_tensors else ()
            return header, {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise NessBenchError(f"{path} cannot be read ({error}); restore it or train the supernet again") from None
