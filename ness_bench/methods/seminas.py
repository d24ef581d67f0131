"""SemiNAS (Luo, Tan, Wang, Qin, Chen & Liu, NeurIPS 2020): a predictor that also learns from its own labels.

1. N random architectures are evaluated.
2. An encoder, a predictor and a decoder are trained on them.
3. The predictor labels M architectures that were not evaluated.
4. All three are trained on, on the N, each taken several times, and the M.
5. The encodings of the best architectures, evaluated or labelled, move along the predictor's gradient, in steps
   of growing size, until enough architectures are decoded that were not evaluated. They are; back to 2.

The paper evaluates 1,100 architectures of NAS-Bench-101, then three times 300. Here its budget is divided alike, and
the other counts are scaled down to evaluations by the hundred. An architecture counts as evaluated when one of its
functional class was. Where the decoder finds no more, random architectures are evaluated (ours). All that is
evaluated is charged, while the authors' code draws the first N from those of 90 % accuracy and more, for free.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.methods.method import register
from ness_bench.methods.multi_trial import MultiTrial, evaluations
from ness_bench.methods.random_pool import in_random_order
from ness_bench.sampling.posterior import Architectures, Floats
from ness_bench.spaces.nas_bench_201 import Architecture
from ness_bench.spaces.space import Space
from ness_bench.tasks.task import TrialTask

if TYPE_CHECKING:
    from ness_bench.training.encoder_predictor_decoder import EncoderPredictorDecoder


@register("seminas")
@dataclass(frozen=True)
class SemiNas(MultiTrial):
    """Gradient steps on encoded architectures; the single best by validation accuracy.

    Attributes:
        initial_share: of the budget, for the N random architectures (1,100 of 2,000 evaluations in the paper).
        iterations: rounds of proposals, for equal parts of the rest (3 in the paper).
        pseudo_labelled: M (10,000 in the paper). Source: ours.
        repeats: how often each evaluated architecture counts beside them (10 in the authors' code).
        best: architectures whose encodings are moved (100 in the paper).
        largest_step: sizes 1, 2, … up to this are tried (100 in the authors' code).
        pretraining_epochs: on the evaluated architectures (1,000 in the authors' code). Source: ours.
        epochs: on these and the pseudo-labelled ones (500 in the authors' code). Source: ours.
        batch_size: architectures a step of training (100 in the authors' code). Source: ours.
        hidden: width of both LSTMs (64 in the paper).
        predictor_hidden: width of the predictor (16 in the paper).
        trade_off: weight of the predictor's loss against the decoder's (0.8 in the paper).
        learning_rate: of Adam (0.001 in the paper).
        weight_decay: L2 coefficient (1e-4 in the authors' code).
        gradient_clip: on the gradient's norm (5 in the authors' code).
    """

    initial_share: float = 0.55
    iterations: int = 3
    pseudo_labelled: int = 500
    repeats: int = 10
    best: int = 100
    largest_step: int = 100
    pretraining_epochs: int = 50
    epochs: int = 5
    batch_size: int = 50
    hidden: int = 64
    predictor_hidden: int = 16
    trade_off: float = 0.8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0

    def __post_init__(self) -> None:
        counts = (self.iterations, self.repeats, self.best, self.batch_size, self.hidden, self.predictor_hidden)
        if min(counts) < 1 or min(self.pseudo_labelled, self.largest_step, self.pretraining_epochs, self.epochs) < 0:
            raise NessBenchError(
                "seminas needs iterations, repeats, best, batch_size, hidden and predictor_hidden >= 1, and "
                "pseudo_labelled, largest_step, pretraining_epochs and epochs >= 0"
            )
        if not (0 <= self.initial_share <= 1 and 0 <= self.trade_off <= 1):
            raise NessBenchError("seminas needs initial_share and trade_off in [0, 1]")
        if not (self.learning_rate > 0 and self.weight_decay >= 0 and self.gradient_clip > 0):
            raise NessBenchError("seminas needs learning_rate > 0, weight_decay >= 0 and gradient_clip > 0")

    def find(self, task: TrialTask, rng: np.random.Generator) -> Architecture:
        trials: list[tuple[Architecture, float]] = []
        for trial in evaluations(task, self._proposals(task, trials, rng)):
            trials.append(trial)
        return max(trials, key=lambda trial: trial[1])[0]

    def _proposals(
        self, task: TrialTask, trials: list[tuple[Architecture, float]], rng: np.random.Generator
    ) -> Iterator[Architecture]:
        """What to evaluate next; `trials` grows as it is."""
        from ness_bench.training.encoder_predictor_decoder import EncoderPredictorDecoder  # which loads PyTorch

        space, evaluated = task.space, set[Architecture]()

        def until(share: float, candidates: Iterable[Architecture]) -> Iterator[Architecture]:
            """Of the candidates those that are new, until that share of the budget is spent."""
            for architecture in candidates:
                if space.canonical(architecture) not in evaluated:
                    evaluated.add(space.canonical(architecture))
                    yield architecture
                    if task.budget.total - task.budget.left >= share * task.budget.total:
                        return

        random = in_random_order(task.space, task.network, rng)
        yield from until(self.initial_share, random)
        network = EncoderPredictorDecoder(self.hidden, self.predictor_hidden, rng)
        for iteration in range(1, self.iterations + 1):
            others = [a for a in space.architectures if space.canonical(a) not in evaluated]
            if not others:
                return
            labelled = [others[row] for row in rng.permutation(len(others))[: self.pseudo_labelled]]
            share = self.initial_share + (1 - self.initial_share) * iteration / self.iterations
            best = self._learn(network, trials, labelled, rng)
            yield from until(share, itertools.chain(self._improve(network, best, space), random))

    def _learn(
        self,
        network: "EncoderPredictorDecoder",
        trials: Sequence[tuple[Architecture, float]],
        labelled: Sequence[Architecture],
        rng: np.random.Generator,
    ) -> Architectures:
        """Train the network. Returns the best of evaluated and labelled architectures, int8 [best, edges]."""
        from ness_bench.training.encoder_predictor_decoder import fit, predict

        accuracies = np.array([accuracy for _, accuracy in trials])
        scores = (accuracies - accuracies.mean()) / max(accuracies.std(), 1e-9)
        architectures = np.array([*(architecture for architecture, _ in trials), *labelled], np.int8)
        evaluated, pseudo = np.split(np.arange(len(architectures)), [len(trials)])

        def train(rows: npt.NDArray[np.int64], scores: Floats, epochs: int) -> None:
            orders = (rng.permutation(rows) for _ in range(epochs))
            batches = (
                order[at : at + self.batch_size] for order in orders for at in range(0, len(order), self.batch_size)
            )
            fit(
                network,
                architectures,
                scores,
                batches,
                trade_off=self.trade_off,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                gradient_clip=self.gradient_clip,
            )

        train(evaluated, scores, self.pretraining_epochs)
        scores = np.concatenate([scores, predict(network, architectures[pseudo])])
        train(np.concatenate([np.tile(evaluated, self.repeats), pseudo]), scores, self.epochs)
        return architectures[np.argsort(-scores, kind="stable")[: self.best]]

    def _improve(self, network: "EncoderPredictorDecoder", best: Architectures, space: Space) -> Iterator[Architecture]:
        """What the decoder makes of the best, moved further and further."""
        from ness_bench.training.encoder_predictor_decoder import improve

        for step in range(1, self.largest_step + 1):
            decoded = (tuple(row) for row in improve(network, best, step).tolist())
            yield from (architecture for architecture in decoded if architecture in space)
