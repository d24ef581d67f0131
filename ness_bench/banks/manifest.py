"""`bank.json`: the description of a bank, and the digests that hold its files to it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from ness_bench.banks.plan import BuildPlan
from ness_bench.errors import NessBenchError
from ness_bench.files import digest
from ness_bench.networks.skeleton import Skeleton
from ness_bench.training.recipe import Recipe

SCHEMA = 2

REQUIRED = (
    "members.parquet",
    "test_scores.npz",
    "optima.json",
    "val_labels.npy",
    "test_labels.npy",
    "val/000.xz",
    "test/000.xz",
)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Codec(_Strict):
    """How probabilities are stored; see `codec`."""

    name: Literal["sqrt"]
    levels: Literal[15]


class Distortion(_Strict):
    """What storing predictions in codes changes against the float predictions, on test: stored − float.

    Attributes:
        size: of the ensembles: random ones, or with 1 all members.
        ensembles: how many.
        nll_mean: mean change of the NLL, in nats.
        nll_sd: its standard deviation: a change that is the same for all favours none.
        accuracy_mean_absolute: mean of the absolute change of the accuracy.
    """

    size: PositiveInt
    ensembles: PositiveInt
    nll_mean: float
    nll_sd: float
    accuracy_mean_absolute: float


class Manifest(_Strict):
    """What `bank.json` says.

    Attributes:
        data_digest: SHA-256 of the images and labels; see `DataSet.digest`.
        test_examples: of the whole test split, which `test_scores.npz` is on.
        distortion: of single members and of ensembles of 5.
        files: SHA-256 of every other file of the bank, by its path in the folder.
    """

    schema_: Annotated[PositiveInt, Field(alias="schema")]
    name: str
    space: Literal["nas_bench_201"]
    data: str
    data_digest: str
    class_names: tuple[str, ...]
    train_examples: PositiveInt
    test_examples: PositiveInt
    skeleton: Skeleton
    recipe: Recipe
    codec: Codec
    distortion: tuple[Distortion, ...]
    plan: BuildPlan
    versions: dict[str, str]
    files: dict[str, str]


class _Schema(BaseModel):
    model_config = ConfigDict(strict=True)
    schema_: Annotated[int, Field(alias="schema")]


def read_manifest(folder: Path) -> Manifest:
    """Read and check `bank.json`.

    Raises:
        NessBenchError: there is no bank, it is of another schema, or its description is damaged.
    """
    path = folder / "bank.json"
    if not path.is_file():
        raise NessBenchError(f"{folder} holds no bank: {path.name} is missing; `ness-bench bank build` makes one")
    content = path.read_bytes()
    try:
        schema = _Schema.model_validate_json(content).schema_
        if schema != SCHEMA:
            raise NessBenchError(
                f"bank {folder} has schema {schema}, this version of ness_bench reads schema {SCHEMA}; "
                f"{'upgrade ness_bench' if schema > SCHEMA else 'build the bank again'}"
            )
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its text"
        raise NessBenchError(f"{path} is corrupt, it describes no bank ({where}: {first['msg']}); restore it") from None
    missing = [name for name in REQUIRED if name not in manifest.files]
    if missing:
        raise NessBenchError(f"{path} is corrupt: it has no digest of {', '.join(missing)}; restore it")
    return manifest


def check_digests(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a bank with its digest.

    Raises:
        NessBenchError: a file is missing or differs; the message names it.
    """
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise NessBenchError(f"bank {folder}: {name} is missing; restore it or build the bank again")
        found = digest(path)
        if found != expected:
            raise NessBenchError(
                f"bank {folder}: {name} is corrupt or truncated: its SHA-256 digest is {found[:12]}… but bank.json "
                f"says {expected[:12]}…; restore the file or build the bank again"
            )
