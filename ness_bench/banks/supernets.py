"""What a bank stores of a supernet: its weights, and how well each architecture does with inherited ones.

`supernets/NAME.safetensors` holds the weights, `supernets/NAME.npz`

    architectures    int8 [architectures, edges], pruned: those of the bank's space, or all
    nll, accuracy    float32 [architectures], on the validation split with inherited weights
    log_likelihoods  float16 [architectures, batches], of each batch of validation examples, summed over it
    alphas           float32 [epochs + 1, edges, operations], for kinds that learn them

so that a search on the bank looks up what passes through the supernet would have given. The validation
split is cut into batches in its stored order, and each is normalised by its own statistics, as in
training. Predictions themselves are not stored: they are computed when
a search asks for them, from the weights and the images of `supernets/val_images.npz`.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from ness_bench.banks.inherited_scores import ComputedScores, parts_of
from ness_bench.ensembles.metrics import TINY, accuracy, true_class
from ness_bench.errors import NessBenchError
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import Architecture, architectures, prune
from ness_bench.training.fit import TrainingDivergedError
from ness_bench.training.parameters import Parameters

if TYPE_CHECKING:
    from ness_bench.networks.supernet import Supernet


@dataclass(frozen=True)
class StoredSupernet:
    """A supernet of a bank, or of a folder of its own, as lookups.

    Attributes:
        kind: how it was trained; see `training.one_shot.kinds`.
        epochs: of its training.
        seed: of its training.
        passes: training images × epochs.
        architectures: int8 [architectures, edges], pruned.
        nll: float32 [architectures], in nats an example.
        accuracy: float32 [architectures].
        batch_log_likelihoods: float16 [architectures, batches], in nats.
        alphas: float32 [epochs + 1, edges, operations], or None.
        skeleton: of its weights.
        weights: by name, float32.
        images: normalised validation images, float32 [examples, height, width, channels].
    """

    kind: str
    epochs: int
    seed: int
    passes: int
    architectures: npt.NDArray[np.int8]
    nll: npt.NDArray[np.float32]
    accuracy: npt.NDArray[np.float32]
    batch_log_likelihoods: npt.NDArray[np.float16]
    alphas: npt.NDArray[np.float32] | None
    skeleton: Skeleton
    weights: Parameters
    images: npt.NDArray[np.float32]

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.epochs}-seed{self.seed}"

    @cached_property
    def _rows(self) -> dict[Architecture, int]:
        pruned = {tuple(row): index for index, row in enumerate(self.architectures.tolist())}
        found = {architecture: pruned.get(prune(architecture)) for architecture in architectures()}
        return {architecture: row for architecture, row in found.items() if row is not None}

    def rows(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """The row of each architecture [architectures, edges], pruned or not."""
        return np.array([self._rows[tuple(a)] for a in architectures.tolist()], np.int64)

    def log_likelihoods(
        self, architectures: npt.NDArray[np.int8], batches: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Log-likelihood of some batches, summed over their examples, float64 [architectures]."""
        of_batches = self.batch_log_likelihoods[self.rows(architectures)][:, batches]
        summed: npt.NDArray[np.float64] = of_batches.sum(1, dtype=np.float64)
        return summed

    @cached_property
    def _computed(self) -> dict[str, ComputedScores]:
        return {}

    def computed(
        self, statistics: str, labels: npt.NDArray[np.int64], calibration: npt.NDArray[np.float32] | None
    ) -> ComputedScores:
        """Scores with other statistics of batch normalisation than the stored ones have; kept once computed.

        Args:
            statistics: one of `inherited_scores.STATISTICS`.
            labels: of the validation split.
            calibration: normalised training images, for "calibrated".
        """
        if statistics not in self._computed:
            self._computed[statistics] = ComputedScores(
                self.kind, self.epochs, self.model, self.alphas, self.images, labels, statistics, calibration
            )
        return self._computed[statistics]

    @cached_property
    def model(self) -> "Supernet":
        """The supernet, in PyTorch."""
        import torch  # here, since it is slow to load and most searches do without

        from ness_bench.networks.supernet import Supernet

        model = Supernet(self.skeleton)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        return model

    def predict(self, architectures: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """Class probabilities on the validation split, float32 [architectures, examples, classes]."""
        from ness_bench.training.cpu.supernet import predictions  # here, since Numba is slow to load

        paths = [tuple(row) for row in architectures.tolist()]
        parts = [
            np.stack(list(predictions(self.skeleton, self.weights, paths, self.images[part])))
            for part in parts_of(len(self.images))
        ]
        return np.concatenate(parts, axis=1)


def scores(
    predict: Callable[[npt.NDArray[np.float32]], Iterable[npt.NDArray[np.float32]]],
    images: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `supernets/NAME.npz` that follow from inherited-weight predictions.

    Args:
        predict: a batch of images to the class probabilities of each architecture in turn.
        images: normalised validation images.
        labels: int64 [examples].
    """
    right, log_likelihoods = [], []  # [batches, architectures]
    for part in parts_of(len(labels)):
        predicted = [(true_class(p, labels[part]), accuracy(p, labels[part])) for p in predict(images[part])]
        log_likelihoods.append([np.log(np.maximum(likelihoods, TINY)).sum() for likelihoods, _ in predicted])
        right.append([share * len(labels[part]) for _, share in predicted])
    return {
        "nll": (-np.sum(log_likelihoods, axis=0) / len(labels)).astype(np.float32),
        "accuracy": (np.sum(right, axis=0) / len(labels)).astype(np.float32),
        "log_likelihoods": np.array(log_likelihoods, np.float16).T,
    }


def content(
    scores: dict[str, npt.NDArray[Any]],
    architectures: Sequence[Architecture],
    kind: str,
    epochs: int,
    seed: int,
    passes: int,
    alphas: npt.NDArray[np.float32] | None,
) -> dict[str, Any]:
    """All arrays of `supernets/NAME.npz`.

    Args:
        scores: of `architectures`, as `scores` gives them.

    Raises:
        TrainingDivergedError: a score is not finite.
    """
    if not np.isfinite(scores["nll"]).all():
        raise TrainingDivergedError(
            f"a {kind} supernet of {epochs} epochs with seed {seed} diverged, its predictions are not finite; leave "
            "its kind or length out"
        )
    made = {"kind": kind, "epochs": epochs, "seed": seed, "passes": passes}
    learned = {"alphas": alphas} if alphas is not None else {}
    return scores | {"architectures": np.array(architectures, np.int8)} | made | learned


def read(path: Path, skeleton: Skeleton, images: npt.NDArray[np.float32]) -> StoredSupernet:
    """Read `supernets/NAME.npz` and the weights beside it.

    Raises:
        NessBenchError: the scores are damaged.
    """
    arrays = read_scores(path)
    weights = load_file(path.with_suffix(".safetensors"))
    weights.pop("alphas", None)
    return StoredSupernet(
        str(arrays["kind"]),
        int(arrays["epochs"]),
        int(arrays["seed"]),
        int(arrays["passes"]),
        arrays["architectures"],
        arrays["nll"],
        arrays["accuracy"],
        arrays["log_likelihoods"],
        arrays.get("alphas"),
        skeleton,
        {name: value.astype(np.float32) for name, value in weights.items()},
        images,
    )


def read_scores(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `supernets/NAME.npz`.

    Raises:
        NessBenchError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        raise NessBenchError(f"{path} is damaged; restore it, or remove it and score the supernet again") from None
