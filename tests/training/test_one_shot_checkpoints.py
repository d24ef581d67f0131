"""Trainings of supernets that are stopped, go on, or diverge."""

from dataclasses import replace

import pytest
import torch

from ness_bench.data import fashion_mnist
from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.networks.skeleton import Skeleton
from ness_bench.networks.supernet import Supernet
from ness_bench.training.fit import TrainingDivergedError
from ness_bench.training.one_shot import checkpoint, kinds, tensor_file, weights
from ness_bench.training.one_shot.kinds import recipe_of, train

SKELETON = Skeleton(channels=4, cells=1)
TRAININGS = [("uniform", "cpu"), ("rsps", "cpu"), *((kind, "torch") for kind in kinds.KINDS)]

each_training = pytest.mark.parametrize(("kind", "engine"), TRAININGS)


@pytest.fixture(scope="module")
def data():
    shipped = fashion_mnist.load()
    return replace(shipped, train=shipped.train.first(64), val=shipped.val.first(10))


class Killed(Exception):
    pass


def killed_after(last):
    def done(epoch, loss):
        if epoch == last:
            raise Killed

    return done


def content(trained):
    held = {name: value.numpy().tobytes() for name, value in trained.model.state_dict().items()}
    return held, None if trained.alphas is None else trained.alphas.tobytes()


@each_training
def test_a_training_goes_on_as_if_it_had_never_stopped(data, tmp_path, kind, engine):
    recipe, path = recipe_of(kind, 4, batch_size=16), tmp_path / "checkpoint"
    whole = content(train(kind, data, SKELETON, recipe, 5, engine=engine))
    for last in (1, 3):
        with pytest.raises(Killed):
            train(kind, data, SKELETON, recipe, 5, engine=engine, checkpoint=path, done=killed_after(last))
    epochs = []
    resumed = train(
        kind, data, SKELETON, recipe, 5, engine=engine, checkpoint=path, done=lambda epoch, _: epochs.append(epoch)
    )
    assert epochs == [4]
    assert content(resumed) == whole
    again = train(kind, data, SKELETON, recipe, 5, engine=engine, checkpoint=path, done=killed_after(4))
    assert content(again) == whole, "a training that is done is read"


def test_checkpoints_are_written_after_every_epoch(data, tmp_path):
    recipe, path, written = recipe_of("uniform", 3, batch_size=32), tmp_path / "checkpoint", []
    train("uniform", data, SKELETON, recipe, 0, checkpoint=path,
          done=lambda epoch, loss: written.append(tensor_file.read_header(path)["epoch"]))  # fmt: skip
    assert written == [1, 2, 3]
    with pytest.raises(NessBenchError, match="its folder is missing"):
        train("uniform", data, SKELETON, recipe, 0, checkpoint=tmp_path / "absent" / "checkpoint")


def test_checkpoints_of_other_trainings_are_refused(data, tmp_path, monkeypatch):
    recipe, path = recipe_of("uniform", 1, batch_size=32), tmp_path / "checkpoint"
    train("uniform", data, SKELETON, recipe, 0, engine="cpu", checkpoint=path)
    kept = path.read_bytes()
    other_data = replace(data, train=data.train.first(32))
    spatial = DartsSkeleton(channels=2, layers=3, input_channels=1, image_size=8)
    for message, arguments, options in [
        ("its kind 'uniform', not 'rsps'", ("rsps", data, SKELETON, recipe_of("rsps", 1, batch_size=32), 0), {}),
        ("its seed 0, not 1;", ("uniform", data, SKELETON, recipe, 1), {}),
        ("recipe.weight_decay 0.0005, not 0.1;", ("uniform", data, SKELETON, replace(recipe, weight_decay=0.1), 0), {}),
        ("skeleton.cells 1, not 2;", ("uniform", data, replace(SKELETON, cells=2), recipe, 0), {}),
        ("space 'nas-bench-201', not 'darts'", ("uniform", data, spatial, recipe, 0), {}),
        ("its data_digest '.*', not '.*';", ("uniform", other_data, SKELETON, recipe, 0), {}),
        ("its engine 'cpu', not 'torch';", ("uniform", data, SKELETON, recipe, 0), {"engine": "torch"}),
    ]:
        with pytest.raises(NessBenchError, match=message):
            train(*arguments, checkpoint=path, **options)
    monkeypatch.setattr(checkpoint, "__version__", "0.0.0")
    with pytest.raises(NessBenchError, match=r"its version '.*', not '0\.0\.0';"):
        train("uniform", data, SKELETON, recipe, 0, checkpoint=path)
    assert path.read_bytes() == kept


def test_damaged_checkpoints_are_refused(data, tmp_path):
    recipe, path = recipe_of("darts", 1, batch_size=16), tmp_path / "checkpoint"
    train("darts", data, SKELETON, recipe, 0, checkpoint=path)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    with pytest.raises(NessBenchError, match="cannot be read"):
        train("darts", data, SKELETON, recipe, 0, checkpoint=path)
    path.write_bytes(kept)
    header, tensors = tensor_file.read(path)
    del tensors["alphas/exp_avg"]
    path.write_bytes(tensor_file.to_bytes(tensors, header))
    with pytest.raises(NessBenchError, match=r"is damaged .*exp_avg"):
        train("darts", data, SKELETON, recipe, 0, checkpoint=path)
    path.write_bytes(weights.to_bytes(Supernet(SKELETON, torch.Generator()), None))
    with pytest.raises(NessBenchError, match="is no checkpoint"):
        train("darts", data, SKELETON, recipe, 0, checkpoint=path)


@each_training
def test_a_training_that_diverges_stops_and_says_so(data, tmp_path, kind, engine):
    absurd = recipe_of(kind, 3, batch_size=16, learning_rate=1e30, gradient_clip=1e30)
    path = tmp_path / "checkpoint"
    with pytest.raises(
        TrainingDivergedError, match=f"{kind} supernet with seed 2 diverged in epoch 1 of 3, step .*no good"
    ):
        train(kind, data, SKELETON, absurd, 2, engine=engine, checkpoint=path)
    assert not path.exists()


def test_what_was_good_is_kept_when_a_training_diverges(data, tmp_path, monkeypatch):
    """The loss of an epoch's last step is finite, and the weights that it leaves are not."""
    recipe, path = recipe_of("gdas", 3, batch_size=16), tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train("gdas", data, SKELETON, recipe, 0, checkpoint=path, done=killed_after(1))
    kept, steps = path.read_bytes(), kinds.KINDS["gdas"].training.steps

    def spoilt(training, epoch):
        yield from steps(training, epoch)
        next(training.model.parameters()).data[0] = torch.nan

    with monkeypatch.context() as patched:
        patched.setattr(kinds.KINDS["gdas"].training, "steps", spoilt)
        with pytest.raises(
            TrainingDivergedError, match=r"epoch 2 of 3, step 2: weights/.* is not .*checkpoint, after epoch 1"
        ) as error:
            train("gdas", data, SKELETON, recipe, 0, checkpoint=path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == kept
    assert content(train("gdas", data, SKELETON, recipe, 0, checkpoint=path)) == content(
        train("gdas", data, SKELETON, recipe, 0)
    )
