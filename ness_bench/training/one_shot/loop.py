"""The loop that every training of a supernet runs in: epochs, checkpoints, progress, and a stop where it diverges."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ness_bench.errors import NessBenchError
from ness_bench.training.fit import TrainingDivergedError
from ness_bench.training.one_shot import checkpoint as checkpoints
from ness_bench.training.one_shot.checkpoint import Identity
from ness_bench.training.one_shot.training import Training
from ness_bench.training.tensors import one_thread

Done = Callable[[int, float], object]
"""Is told each epoch that is done, from 1, and the mean of its steps' losses."""


def run(
    training: Training,
    identity: Identity,
    checkpoint: Path | None = None,
    done: Done | None = None,
) -> None:
    """Train to the last epoch, from the checkpoint on where there is one.

    Args:
        training: as it was made.
        identity: of the training.
        checkpoint: the file that its state is kept in; it need not exist yet.
        done: is called after each epoch, when its checkpoint is written.

    Raises:
        TrainingDivergedError: a loss, a weight or an α is not finite. The checkpoint stays the last good one.
        NessBenchError: the checkpoint cannot be gone on from, or its folder is missing.
    """
    kept = 0
    if checkpoint is not None:
        if not checkpoint.parent.is_dir():
            raise NessBenchError(
                f"{checkpoint} cannot be written: its folder is missing; make it, or give another path"
            )
        if checkpoint.exists():
            kept = checkpoints.resume(checkpoint, identity, training)

    def diverged(what: str, epoch: int, step: int) -> TrainingDivergedError:
        last = (
            f"the last good checkpoint is {checkpoint}, after epoch {kept}" if kept else "there is no good checkpoint"
        )
        return TrainingDivergedError(
            f"training of a {identity.kind} supernet with seed {identity.seed} diverged in epoch {epoch} of {epochs}, "
            f"step {step}: {what} not finite; lower the learning rate, now {identity.recipe['learning_rate']:g}; {last}"
        )

    epochs = identity.recipe["epochs"]
    with one_thread():
        for epoch in range(kept + 1, epochs + 1):
            losses: list[float] = []
            for loss in training.steps(epoch):
                losses.append(loss)
                if not math.isfinite(loss):
                    raise diverged("the loss is", epoch, len(losses))
            for name, value in training.state().items():
                if not value.isfinite().all():
                    raise diverged(f"{name} is", epoch, len(losses))  # a last step may spoil it after its loss
            if checkpoint is not None:
                checkpoints.write(checkpoint, identity, epoch, training)
                kept = epoch
            if done is not None:
                done(epoch, float(np.mean(losses)))
    training.finish()
