"""NESS with a k-DPP: ensembles drawn with probability ∝ Π q(A) det(similarity of their predictions). Source: ours.

NESS's own sampler holds members apart in the space of architectures, while an ensemble gains from members that
err differently. A k-determinantal point process (Kulesza & Taskar, ICML 2011) over a pool of architectures weighs
both: quality is the posterior, similarity the correlation of residuals, that is of inherited-weight validation
predictions minus the labels. Exact draws replace the particles; all else is NESS.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ness_bench.methods.method import register
from ness_bench.methods.ness import Ness
from ness_bench.methods.predicted_pool import POOL, predicted_pool, require_pool
from ness_bench.sampling import k_dpp
from ness_bench.sampling.posterior import Posterior
from ness_bench.tasks.task import Supernet, Task

RAREST = 1e-9
"""Quality at least, as a share of the best: a cold posterior may be all but certain of fewer architectures than an
ensemble has members, and a k-DPP of unequal scales is lost to rounding. (ours)"""


@register("ness-k-dpp")
@dataclass(frozen=True)
class NessKDPP(Ness):
    """NESS; ensembles are drawn by a k-DPP on inherited-weight predictions (ours).

    Attributes:
        pool: architectures drawn from the posterior, no network twice, whose predictions are paid and compared.
    """

    pool: int = POOL

    def __post_init__(self) -> None:
        super().__post_init__()
        require_pool(self.pool)

    def draw(
        self, posterior: Posterior, supernet: Supernet, task: Task, rng: np.random.Generator
    ) -> npt.NDArray[np.int8]:
        pool, predictions = predicted_pool(posterior, supernet, self.pool, task.ensemble_size, rng)
        similarity = k_dpp.residual_cosine(predictions, task.val_labels)
        quality = np.maximum(pool.probabilities, RAREST * pool.probabilities.max())
        return pool.support[k_dpp.draw(quality, similarity, task.ensemble_size, rng, self.draws)]
