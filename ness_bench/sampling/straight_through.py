"""α from gradients through a supernet: Gumbel-softmax samples with straight-through.

The way that needs no draw to be scored often, but a supernet that can be differentiated; `inference` has the objective
and the ways that need scores only.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.sampling.inference import (
    ADAM,
    Adam,
    Examples,
    climb_on_minibatches,
    require_counts,
    require_temperature,
    require_whole_space,
)
from ness_bench.sampling.posterior import Architectures, Floats, Posterior, log_softmax
from ness_bench.spaces.nas_bench_201 import OPERATIONS


def straight_through_gradient(
    logits: Floats, noise: Floats, tempered_gradient: Callable[[npt.NDArray[np.int8]], Floats], tau: float
) -> Floats:
    """A biased estimate of ∇ELBO from one draw on the whole space; see `straight_through`.

    Args:
        logits: α, [edges, operations].
        noise: of the draw, standard Gumbel, [edges, operations].
        tempered_gradient: an architecture [edges] to the gradient of log p(D_val | w, θ) / temperature with respect
            to the mixture weights w at its one-hot ones, [edges, operations].
        tau: τ, above 0.

    Returns:
        [edges, operations].
    """
    perturbed = logits + noise
    slope = tempered_gradient(perturbed.argmax(-1).astype(np.int8)) - log_softmax(logits)
    relaxed = np.exp(log_softmax(perturbed / tau))
    estimate: Floats = relaxed * (slope - (relaxed * slope).sum(-1, keepdims=True)) / tau
    return estimate


def straight_through(
    log_likelihood_gradient: Callable[[npt.NDArray[np.int8], Examples], Floats],
    support: Architectures,
    examples: int,
    temperature: float,
    rng: np.random.Generator,
    *,
    operations: int = len(OPERATIONS),
    tau: float = 1.0,
    epochs: int = 20,
    batch_size: int = 20,
    samples_per_step: int = 1,
    adam: Adam = ADAM,
) -> Posterior:
    """α from gradients through a supernet, by Gumbel-softmax samples with straight-through.

    An edge's operation is drawn as argmax(α + Gumbel noise), and the supernet runs with the one-hot weights w of the
    draw. Backwards, w counts as y = softmax((α + noise) / τ):

        ∂ELBO/∂α ≈ J_y ∂ELBO/∂w    with    J_y = (diag(y) − yyᵀ) / τ    edge by edge

    and ∂ELBO/∂w = ∂log p(D_val | w, θ)/∂w / temperature − log q_α − 1, whose second part, −∂KL/∂w, is exact.

    The estimate is biased, since J_y stands for J_q = diag(q) − qqᵀ:

    - Of a log-likelihood that is linear in each edge's weights, as every table's is once it is extended to mixtures
      by L(w) = Σ_A Π_e w[e, A_e] log p(D_val | A), the gradient of an edge does not depend on what is drawn there, so
      that it is independent of J_y. The expectation is E[J_y] ∂ELBO/∂w, at w = q: wrong in length and direction,
      but 0 exactly where the true gradient is, which is what a search looks for. That takes the KL term through
      J_y as well: added as its exact gradient J_q ∂KL/∂w, it drags α to 0 as τ grows.
    - A supernet is not linear. The slope at a draw then stands for the differences between operations and depends
      on the operation drawn, hence correlates with J_y; neither error vanishes with τ.

    As τ → 0, E[J_y] → J_q; but y is all but one-hot then, and J_y all but 0 save at near ties, where it grows as 1/τ,
    and the variance with it. As τ → ∞, J_y → (I − 1/operations) / (operations τ) whatever α: hardly any noise of its
    own, but a gradient that no longer knows how sure q is of an edge.

    The default τ, ours, is near the best on tables and on a supernet:

    - With validation accuracies of NAS-Bench-201 for a log-likelihood (CIFAR-10 and ImageNet16-120, three temperatures
      each; 400 steps of 16 draws, learning rate .05), the worst edge's marginals end on average .22, .09, .05, .05 and
      .07 in total variation from those of the maximum with τ = .1, .3, 1, 2 and 5; with the KL term's own gradient
      .24, .09, .11, .23 and .37. With one draw a step they end at .42, .33, .22, .19 and .16, and those of
      `score_function` with 16 at .19.
    - On one supernet of the bank `fashion` (160 epochs, one seed), 800 steps of one draw take E_q[log p(D_val | A, θ)]
      from −1,393, the prior's, to −1,011, −1,021 and −1,043 with τ = .3, 1 and 2 at temperature 1, whose maximum has
      −980, and to −1,043, −1,052 and −1,074 at temperature 10 (−994). `score_function` reaches −995 and −1,005 in 400
      steps, for about half the FLOPs: there the bias that no τ removes shows.

    Sources: Jang, Gu & Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017; to keep the KL term
    on the path, Roeder, Wu & Duvenaud, "Sticking the landing", NeurIPS 2017. What is said of bias is ours.

    Args:
        log_likelihood_gradient: an architecture [edges] and example indices [b] to the gradient of log p(those
            examples | w, θ), summed over the examples, with respect to the mixture weights w, at the architecture's
            one-hot ones: [edges, operations]. A constant added to an edge changes nothing.
        support: the whole space in any order, int8 [size, edges].
        examples: validation examples there are.
        temperature: above 0; divides the log-likelihood of all examples, to which a batch's is scaled up.
        rng: shuffles the examples and draws the noise.
        operations: how many an edge can choose from.
        tau: τ, above 0.
        epochs: passes over the validation examples; as in `score_function`.
        batch_size: examples a step; an epoch's last batch may be smaller.
        samples_per_step: architectures a step. One forward and backward pass of all mixed operations takes about as
            many FLOPs as `score_function`'s 16 forward passes of single ones (ours).
        adam: its constants.

    Raises:
        NessBenchError: the support is not the whole space, a count is too small, or the temperature, τ or a gradient
            is unusable.
    """
    require_counts(examples=(examples, 1), samples_per_step=(samples_per_step, 1))
    require_temperature(temperature)
    if not 0 < tau < np.inf:
        raise NessBenchError(f"tau is {tau}; it must be above 0 and finite")
    prior = Posterior.uniform(support, operations)
    require_whole_space(prior, "straight-through", "`score_function`")

    def gradient(logits: Floats, batch: Examples) -> Floats:
        def tempered_gradient(architecture: npt.NDArray[np.int8]) -> Floats:
            of_batch = log_likelihood_gradient(architecture, batch)
            if of_batch.shape != logits.shape or not np.isfinite(of_batch).all():
                raise NessBenchError(
                    f"a gradient has shape {of_batch.shape}, and {np.sum(~np.isfinite(of_batch))} of its entries are "
                    f"not finite; give finite ones of shape {logits.shape}, one for each operation on each edge"
                )
            return of_batch.astype(np.float64) * (examples / len(batch) / temperature)

        noise = rng.gumbel(size=(samples_per_step, *logits.shape))
        estimates = [straight_through_gradient(logits, of_draw, tempered_gradient, tau) for of_draw in noise]
        mean: Floats = np.mean(estimates, axis=0)
        return mean

    return climb_on_minibatches(gradient, prior, examples, epochs, batch_size, rng, adam)
