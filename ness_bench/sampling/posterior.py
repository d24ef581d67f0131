"""The distribution over architectures that NESS infers and draws from.

    q_α(A) ∝ prod_e softmax(α_e)[A_e]   for A in the support

On the whole space this is a product of one categorical an edge. A support that leaves architectures
out, such as those that a prediction bank lacks, couples the edges; all is then found by enumeration.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import OPERATIONS

Floats = npt.NDArray[np.float64]
Architectures = npt.NDArray[np.int8]
"""Operation indices, [architectures, edges]."""


def log_softmax(scores: Floats) -> Floats:
    """Normalised log-probabilities over the last axis."""
    shifted: Floats = scores - scores.max(-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(-1, keepdims=True))
    return shifted


@dataclass(frozen=True, eq=False)
class Posterior:
    """q_α on a support.

    Attributes:
        logits: α, float64 [edges, operations]. A constant added to a row changes nothing.
        support: the architectures that can be drawn, int8 [size, edges].
        log_weights: what each architecture of the support counts beside α, [size], so that q ∝ exp(log weight) times
            the above: a support that stands for a larger one has them. None for equal weights.

    Raises:
        NessBenchError: the support is empty, lists an architecture twice, or does not fit the logits' shape.
    """

    logits: Floats
    support: Architectures
    log_weights: Floats | None = None

    def __post_init__(self) -> None:
        edges, operations = self.logits.shape
        if len(self.support) == 0 or self.support.shape[1:] != (edges,):
            raise NessBenchError(
                f"the support has shape {self.support.shape}; give at least one architecture, a row of {edges} edges"
            )
        low, high = self.support.min(), self.support.max()
        if low < 0 or high >= operations:
            raise NessBenchError(f"the support holds operations {low} to {high}; allowed: 0 to {operations - 1}")
        distinct = len(np.unique(np.ravel_multi_index(tuple(self.support.T), (operations,) * edges)))
        if distinct < len(self.support):
            raise NessBenchError(
                f"the support lists {len(self.support)} architectures, of which {distinct} are distinct; list each once"
            )

    @classmethod
    def uniform(cls, support: Architectures, operations: int = len(OPERATIONS)) -> "Posterior":
        """The prior: α = 0, every architecture of the support [size, edges] equally likely."""
        return cls(np.zeros((support.shape[-1], operations)), support)

    @property
    def is_factorised(self) -> bool:
        """Whether the support is the whole space, without weights, so that the edges are independent."""
        edges, operations = self.logits.shape
        return self.log_weights is None and len(self.support) == int(operations**edges)

    @cached_property
    def one_hots(self) -> Floats:
        """The support as vectors with one 1 an edge, [size, edges * operations]."""
        return np.eye(self.logits.shape[1])[self.support].reshape(len(self.support), -1)

    @cached_property
    def log_probabilities(self) -> Floats:
        """log q_α of every architecture in the support, [size], nats."""
        scores: Floats = self.one_hots @ self.logits.ravel()
        return log_softmax(scores if self.log_weights is None else scores + self.log_weights)

    @cached_property
    def probabilities(self) -> Floats:
        """q_α of every architecture in the support, [size]."""
        return np.exp(self.log_probabilities)

    @property
    def entropy(self) -> float:
        """−E_q[log q], nats."""
        return -float(self.probabilities @ self.log_probabilities)

    @property
    def marginals(self) -> Floats:
        """Probability of each operation on each edge, E_q[onehot(A)], [edges, operations]."""
        return self.tilted_marginals(np.zeros_like(self.logits))

    def tilted_marginals(self, tilt: Floats) -> Floats:
        """The marginals that logits α + tilt would give, for many tilts at once.

        Args:
            tilt: [..., edges, operations].

        Returns:
            The same shape; sums to 1 over operations.
        """
        if self.is_factorised:
            return np.exp(log_softmax(self.logits + tilt))
        marginals: Floats = self.tilted_probabilities(tilt) @ self.one_hots
        return marginals.reshape(tilt.shape)

    def tilted_probabilities(self, tilt: Floats) -> Floats:
        """What probability logits α + tilt would give each architecture, for many tilts at once.

        Args:
            tilt: [..., edges, operations].

        Returns:
            [..., size]; sums to 1 over the support.
        """
        scores = tilt.reshape(-1, self.logits.size) @ self.one_hots.T + self.log_probabilities
        scores -= scores.max(-1, keepdims=True)
        weights = np.exp(scores, out=scores)
        weights /= weights.sum(-1, keepdims=True)
        return weights.reshape(*tilt.shape[:-2], len(self.support))

    def sample(self, size: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Independent draws, as indices into the support: [*size]."""
        return rng.choice(len(self.support), size=size, p=self.probabilities)

    def require_ensembles_of(self, n: int) -> None:
        """Refuse ensembles that a sampler of this posterior could fill with copies only.

        Raises:
            NessBenchError: n is below 1, or above the number of architectures in the support.
        """
        if not 1 <= n <= len(self.support):
            raise NessBenchError(
                f"ensembles of {n} were asked for, drawn from {len(self.support):,} architectures; ask for 1 to "
                f"{len(self.support):,} members, or give a support with more architectures"
            )
