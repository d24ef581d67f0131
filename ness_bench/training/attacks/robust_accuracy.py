"""Robust accuracy: the share of images that are classified rightly whatever an attack does to them within ε."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ness_bench.errors import NessBenchError
from ness_bench.training.attacks.attack import Attack, require_input, require_positive
from ness_bench.training.attacks.ball import distance
from ness_bench.training.attacks.victim import Victim

ROUNDING = 1e-5
"""How far an attack's images may lie outside the ball: sums of float32."""


@dataclass(frozen=True)
class BatchResult:
    """What an attack at one ε did to one batch: plain values, to be kept by whoever wants to resume.

    Attributes:
        epsilon: in units of pixels in [0, 1].
        batch: its number, from 0.
        clean: for each image, whether it is classified rightly as it is.
        robust: whether it is, and still is after the attack.
        queries: of the victim during the attack; 0 where `clean` is false, since that image is not attacked.
    """

    epsilon: float
    batch: int
    clean: tuple[bool, ...]
    robust: tuple[bool, ...]
    queries: tuple[int, ...]


@dataclass(frozen=True)
class Curve:
    """Robust accuracy over ε.

    Attributes:
        attack: what made it.
        epsilons: ascending, in units of pixels in [0, 1].
        pixels: of an image, times channels.
        clean: bool [images], classified rightly as they are.
        robust: bool [epsilons, images], and still so after the attack at that ε, each ε attacked for itself.
        queries: int64 [epsilons, images], of the victim; 0 for images that were not attacked.
    """

    attack: Attack
    epsilons: tuple[float, ...]
    pixels: int
    clean: npt.NDArray[np.bool_]
    robust: npt.NDArray[np.bool_]
    queries: npt.NDArray[np.int64]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Images robust at each ε, int64 [epsilons]."""
        counts: npt.NDArray[np.int64] = self.robust.sum(1)
        return counts

    @property
    def accuracies(self) -> npt.NDArray[np.float64]:
        """Robust accuracy at each ε, [epsilons]."""
        return self.counts / len(self.clean)

    @property
    def nested(self) -> "Curve":
        """The worst case of all smaller ε as well, whose images lie in the larger ball: it cannot rise with ε."""
        robust = np.logical_and.accumulate(self.robust, axis=0)
        return Curve(self.attack, self.epsilons, self.pixels, self.clean, robust, self.queries)


def robust_accuracy(
    victim: Victim,
    attack: Attack,
    images: Tensor,
    labels: Tensor,
    epsilons: Sequence[float],
    *,
    batch_size: int = 250,
    seed: int = 0,
    finished: Iterable[BatchResult] = (),
    progress: Callable[[BatchResult], None] | None = None,
) -> Curve:
    """Attack at each ε the images that are classified rightly; all others count as wrong.

    A batch draws from a generator of its own, by `seed` and its number, the same at every ε: what comes out depends
    neither on the order of batches nor on which of them were finished before.

    Args:
        images: [n, channels, height, width], pixels in [0, 1], where the victim's members are.
        labels: int64 [n].
        epsilons: ascending.
        finished: results of an earlier call with the same arguments, which are not computed again; those of other ε
            are passed over.
        progress: is called with each result as it is there, those in `finished` left out.

    Raises:
        NessBenchError: as `Attack.perturb`; or ε do not ascend, `batch_size` is below 1 or `seed` below 0, a finished
            result has another number of images than its batch, or an attack left the ball.
    """
    require_positive(batch_size=batch_size)
    if seed < 0:
        raise NessBenchError(f"seed is {seed}; give 0 or more")
    known = {(result.epsilon, result.batch): result for result in finished}
    if not epsilons or any(second <= first for first, second in pairwise(epsilons)):
        raise NessBenchError(f"epsilons are {tuple(epsilons)}; give one or more, each larger than the one before it")
    for epsilon in (epsilons[0], epsilons[-1]):
        require_input(victim, images, labels, epsilon, attack.norm)
    results: list[list[BatchResult]] = [[] for _ in epsilons]
    for batch, rows in enumerate(_batches(len(images), batch_size)):
        clean = None
        for row, epsilon in enumerate(epsilons):
            result = known.get((epsilon, batch))
            if result is None:
                clean = victim.predict(images[rows]) == labels[rows] if clean is None else clean
                generator = torch.Generator().manual_seed(_seed(seed, batch))
                result = _attack(victim, attack, images[rows], labels[rows], clean, epsilon, batch, generator)
                if progress:
                    progress(result)
            elif len(result.robust) != len(images[rows]):
                raise NessBenchError(
                    f"a finished result of batch {batch} at ε = {epsilon:g} has {len(result.robust)} images, the batch "
                    f"{len(images[rows])}; resume with the images and the batch_size that it was made with"
                )
            results[row].append(result)

    def gathered(field: str) -> npt.NDArray[np.generic]:
        return np.array([np.concatenate([getattr(result, field) for result in row]) for row in results])

    return Curve(
        attack,
        tuple(epsilons),
        images[0].numel(),
        gathered("clean")[0].astype(bool),
        gathered("robust").astype(bool),
        gathered("queries").astype(np.int64),
    )


def _attack(
    victim: Victim,
    attack: Attack,
    images: Tensor,
    labels: Tensor,
    clean: Tensor,
    epsilon: float,
    batch: int,
    generator: torch.Generator,
) -> BatchResult:
    robust, queries = clean.clone(), torch.zeros_like(labels)
    if clean.any():
        perturbed = attack.perturb(victim, images[clean], labels[clean], epsilon, generator)
        found = perturbed.images
        apart = distance(found - images[clean], attack.norm).max()
        if not (apart <= epsilon + ROUNDING and found.min() >= 0 and found.max() <= 1):  # NaN is none of it
            raise NessBenchError(
                f"{attack} left the ball of ε = {epsilon:g} or [0, 1]: {apart:g} away, pixels in "
                f"[{found.min():g}, {found.max():g}]; its result would not count"
            )
        robust[clean] = victim.predict(found) == labels[clean]
        queries[clean] = perturbed.queries
    return BatchResult(epsilon, batch, *(tuple(values.tolist()) for values in (clean, robust, queries)))


def _batches(examples: int, batch_size: int) -> Iterator[slice]:
    return (slice(start, start + batch_size) for start in range(0, examples, batch_size))


def _seed(seed: int, batch: int) -> int:
    return int(np.random.SeedSequence([seed, batch]).generate_state(1, np.uint64)[0])
