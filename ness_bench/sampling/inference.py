"""How α is inferred: four ways to the maximum of one objective.

    ELBO(α) = E_q[log p(D_val | A, θ)] / temperature − KL(q_α ‖ uniform on the support)

θ are the supernet's weights, inherited by every architecture; the log-likelihood is a sum over
validation examples, in nats. A temperature above 1 trusts the validation data less. NESS's is not
known, so that it is the caller's to choose and to report.

- `exact` knows the log-likelihood of every architecture and follows the gradient by enumeration.
- `score_function` evaluates a few architectures on a minibatch a step, which is all a supernet affords.
- `straight_through`, in a file of its own, follows gradients through a supernet of mixed operations instead, on the
  whole space only.
- `coordinate_ascent` is a closed-form oracle for the others, on the whole space only.

The objective is not concave: where edges interact strongly, two ways may end on different maxima.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.posterior import Architectures, Floats, Posterior, log_softmax
from ness_bench.spaces.nas_bench_201 import OPERATIONS

Examples = npt.NDArray[np.int64]
"""Indices of validation examples, [examples]."""


@dataclass(frozen=True)
class Adam:
    """Gradient ascent by Adam (Kingma & Ba, 2015). The defaults are an independent port of NESS's.

    Attributes:
        learning_rate: about the most that a logit moves in a step.
        betas: decay of the running means of the gradient and of its square.
        weight_decay: L2 coefficient.
        epsilon: keeps the division finite; Adam's own default.

    Raises:
        NessBenchError: the learning rate is not above 0.
    """

    learning_rate: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 3e-4
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < np.inf:
            raise NessBenchError(f"learning_rate is {self.learning_rate}; it must be above 0 and finite")

    def climb(self, gradient: Callable[[Floats], Floats], start: Floats, steps: int) -> Floats:
        """Where `steps` steps up `gradient`, asked once a step, lead from `start`.

        Raises:
            NessBenchError: they lead to what is not finite.
        """
        x, mean, square = start, np.zeros_like(start), np.zeros_like(start)
        beta_1, beta_2 = self.betas
        for step in range(1, steps + 1):
            slope = gradient(x) - self.weight_decay * x
            mean = beta_1 * mean + (1 - beta_1) * slope
            square = beta_2 * square + (1 - beta_2) * slope**2
            root = np.sqrt(square / (1 - beta_2**step))
            x = x + self.learning_rate * mean / (1 - beta_1**step) / (root + self.epsilon)
            if not np.isfinite(np.abs(x).sum()):
                raise NessBenchError(
                    f"α is not finite after {step} steps of Adam; lower the learning rate, now "
                    f"{self.learning_rate:g}, or raise the temperature"
                )
        return x


ADAM = Adam()


def _tempered(log_likelihood: Floats, architectures: int, temperature: float) -> Floats:
    """log_likelihood / temperature, once both are known to be usable."""
    require_temperature(temperature)
    finite = np.isfinite(log_likelihood)
    if log_likelihood.shape != (architectures,) or not finite.all():
        raise NessBenchError(
            f"the log-likelihoods have shape {log_likelihood.shape}, and {finite.size - finite.sum()} are not finite; "
            f"give {architectures}, one an architecture, and clip probabilities away from 0 before the logarithm"
        )
    return log_likelihood.astype(np.float64) / temperature


def require_temperature(temperature: float) -> None:
    """Refuse a temperature that is not above 0.

    Raises:
        NessBenchError: it is not.
    """
    if not temperature > 0:
        raise NessBenchError(f"the temperature is {temperature}; it must be above 0 (1 is Bayes' rule)")


def require_counts(**counts: tuple[int, int]) -> None:
    """Refuse counts, given as (count, least), that are below the least."""
    for name, (count, least) in counts.items():
        if count < least:
            raise NessBenchError(f"{name} is {count}; it must be at least {least}")


def require_whole_space(prior: Posterior, way: str, instead: str) -> None:
    """Refuse a restricted support for a way that cannot do with one.

    Raises:
        NessBenchError: it is one.
    """
    if not prior.is_factorised:
        edges, operations = prior.logits.shape
        raise NessBenchError(
            f"{way} needs the whole space of {operations**edges} architectures, but the support has "
            f"{len(prior.support)}; use {instead}"
        )


def elbo_gradient(logits: Floats, one_hots: Floats, tempered: Floats | float) -> Floats:
    """∇ELBO by enumeration: Cov_q(onehot(A), tempered(A) − log q(A)). Source: ours.

    Args:
        logits: α, [edges, operations].
        one_hots: of the support, [size, edges * operations].
        tempered: log p(D_val | A, θ) / temperature, [size]; 0 leaves the gradient of −KL.

    Returns:
        [edges, operations].
    """
    log_q = log_softmax(one_hots @ logits.ravel())
    q, value = np.exp(log_q), tempered - log_q
    covariance: Floats = (q * (value - q @ value)) @ one_hots
    return covariance.reshape(logits.shape)


def leave_one_out_gradient(rewards: Floats, one_hots: Floats) -> Floats:
    """An unbiased estimate of ∇_α E_q[R], from draws of q and the leave-one-out baseline.

    The score ∇log q(A) is onehot(A) − E_q[onehot], of which the baselines cancel the second term.

    Args:
        rewards: of at least 2 independent draws, [draws].
        one_hots: of the draws, [draws, edges * operations].

    Returns:
        [edges * operations].
    """
    gradient: Floats = (rewards - rewards.mean()) @ one_hots / (len(rewards) - 1)
    return gradient


def score_function_gradient(
    logits: Floats,
    one_hots: Floats,
    tempered_of: Callable[[npt.NDArray[np.int64]], Floats],
    samples: int,
    rng: np.random.Generator,
) -> Floats:
    """An unbiased estimate of ∇ELBO from `samples` draws of A; the KL term is exact.

    The score is ∇log q(A) = onehot(A) − E_q[onehot]. Each draw's baseline is the mean of the others (Kool
    et al., 2019), which makes the estimate a sample covariance and lets E_q[onehot] cancel.

    Args:
        logits: α, [edges, operations].
        one_hots: of the support, [size, edges * operations].
        tempered_of: indices into the support [samples] to log p(D_val | A, θ) / temperature, or an unbiased
            estimate of it, [samples].
        samples: at least 2.
        rng: draws the architectures.

    Returns:
        [edges, operations].
    """
    drawn = rng.choice(len(one_hots), size=samples, p=np.exp(log_softmax(one_hots @ logits.ravel())))
    tempered = tempered_of(drawn)
    likelihood_term = leave_one_out_gradient(tempered, one_hots[drawn])
    return elbo_gradient(logits, one_hots, 0.0) + likelihood_term.reshape(logits.shape)


def exact(
    log_likelihood: Floats,
    support: Architectures,
    temperature: float,
    *,
    operations: int = len(OPERATIONS),
    steps: int = 2000,
    adam: Adam = ADAM,
) -> Posterior:
    """α from the log-likelihood of every architecture in the support.

    Args:
        log_likelihood: log p(D_val | A, θ), [size].
        support: int8 [size, edges].
        temperature: above 0.
        operations: how many an edge can choose from.
        steps: of Adam, from α = 0. 2,000 let a logit travel up to 20, more than a posterior needs that is not
            all but certain of one architecture (ours).
        adam: its constants.

    Raises:
        NessBenchError: the temperature, a log-likelihood or the support is unusable.
    """
    prior = Posterior.uniform(support, operations)
    tempered = _tempered(log_likelihood, len(support), temperature)
    logits = adam.climb(lambda logits: elbo_gradient(logits, prior.one_hots, tempered), prior.logits, steps)
    return Posterior(logits, support)


def score_function(
    log_likelihood: Callable[[Architectures, Examples], Floats],
    support: Architectures,
    examples: int,
    temperature: float,
    rng: np.random.Generator,
    *,
    operations: int = len(OPERATIONS),
    epochs: int = 20,
    batch_size: int = 20,
    samples_per_step: int = 16,
    adam: Adam = ADAM,
) -> Posterior:
    """α from evaluations of `samples_per_step` architectures on a minibatch a step.

    A step's estimate is dominated by which architectures were drawn, not by which examples. So the examples
    are best spent on many steps of few: the default batch. (ours)

    Args:
        log_likelihood: architectures [k, edges] and example indices [b] to log p(those examples | A, θ), summed
            over the examples, [k]. It is asked for epochs * samples_per_step * examples predictions in all.
        support: int8 [size, edges].
        examples: validation examples there are.
        temperature: above 0; divides the log-likelihood of all examples, to which a batch's is scaled up.
        rng: shuffles the examples and draws the architectures.
        operations: how many an edge can choose from.
        epochs: passes over the validation examples; 20 as in an independent port of NESS.
        batch_size: examples a step; an epoch's last batch may be smaller.
        samples_per_step: architectures a step, at least 2 (ours).
        adam: its constants.

    Raises:
        NessBenchError: a count is too small, or the temperature, a log-likelihood or the support is unusable.
    """
    require_counts(examples=(examples, 1), samples_per_step=(samples_per_step, 2))
    prior = Posterior.uniform(support, operations)

    def gradient(logits: Floats, batch: Examples) -> Floats:
        def tempered_of(drawn: npt.NDArray[np.int64]) -> Floats:
            of_batch = _tempered(log_likelihood(support[drawn], batch), len(drawn), temperature)
            return of_batch * (examples / len(batch))

        return score_function_gradient(logits, prior.one_hots, tempered_of, samples_per_step, rng)

    return climb_on_minibatches(gradient, prior, examples, epochs, batch_size, rng, adam)


def climb_on_minibatches(
    gradient: Callable[[Floats, Examples], Floats],
    prior: Posterior,
    examples: int,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    adam: Adam,
) -> Posterior:
    """From the prior up a gradient of (α, a minibatch): an epoch shuffles the examples and takes each once."""
    require_counts(epochs=(epochs, 1), batch_size=(batch_size, 1))
    orders = [rng.permutation(examples) for _ in range(epochs)]
    batches = [order[first : first + batch_size] for order in orders for first in range(0, examples, batch_size)]
    remaining = iter(batches)
    logits = adam.climb(lambda logits: gradient(logits, next(remaining)), prior.logits, len(batches))
    return Posterior(logits, prior.support)


def coordinate_ascent(
    log_likelihood: Floats,
    support: Architectures,
    temperature: float,
    *,
    operations: int = len(OPERATIONS),
    sweeps: int = 1000,
    tolerance: float = 1e-10,
) -> Posterior:
    """α by mean-field coordinate ascent from the uniform posterior: α_e <- E_{q_-e}[log p(D_val | A, θ)] / temperature.

    Each update is the exact maximum over one edge, the others held. Source: ours.

    Args:
        log_likelihood: log p(D_val | A, θ), [size].
        support: the whole space in any order, int8 [size, edges].
        temperature: above 0.
        operations: how many an edge can choose from.
        sweeps: over all edges, at most.
        tolerance: stop when a sweep changes no marginal probability by more.

    Raises:
        NessBenchError: the support is not the whole space, or the temperature or a log-likelihood is unusable.
    """
    prior = Posterior.uniform(support, operations)
    require_whole_space(prior, "coordinate ascent", "`exact`")
    edges = range(support.shape[1])
    table = np.empty([operations for _ in edges])
    table[tuple(support.T)] = _tempered(log_likelihood, len(support), temperature)
    logits, marginals = prior.logits.copy(), prior.marginals
    for _ in range(sweeps):
        before = marginals.copy()
        for edge in edges:
            expected = table
            for other in reversed(edges):  # from the last, so that the axes still to come keep their places
                if other != edge:
                    expected = np.tensordot(expected, marginals[other], (other, 0))
            logits[edge] = log_softmax(expected)
            marginals[edge] = np.exp(logits[edge])
        if np.abs(marginals - before).max() <= tolerance:
            break
    return Posterior(logits, support)
