import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from ness_bench.banks import supernet_folder, supernet_report
from ness_bench.banks.bank import open_bank
from ness_bench.banks.jobs import load_data, skeleton_of
from ness_bench.banks.ranks import ranks_of
from ness_bench.errors import NessBenchError
from ness_bench.networks.darts_skeleton import DartsSkeleton
from ness_bench.spaces.nas_bench_201 import architectures, prune
from ness_bench.tasks.bank import BankTask
from ness_bench.testing.small_bank import small_plan
from ness_bench.training.one_shot import inherited, weights
from ness_bench.training.one_shot.kinds import recipe_of

PLAN = small_plan()
DATA, SKELETON = load_data(PLAN), skeleton_of(PLAN)


def train(folder, kind="uniform", epochs=1, seed=7, skeleton=SKELETON, data=DATA, done=lambda epoch, loss: None):
    return supernet_folder.train(folder, data, skeleton, kind, recipe_of(kind, epochs), seed, done)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernets") / "gdas"
    train(folder, "gdas")
    counted = []
    supernet_folder.score(folder, DATA, 1, counted.append, counted.append)
    return folder, counted


def test_training_ends_in_one_file_and_is_not_repeated(tmp_path):
    epochs = []
    path = train(tmp_path / "s", epochs=2, done=lambda epoch, loss: epochs.append(epoch))
    assert [p.name for p in (tmp_path / "s").iterdir()] == [path.name]
    assert epochs == [1, 2]
    before = path.read_bytes()
    train(tmp_path / "s", epochs=2, done=lambda epoch, loss: pytest.fail("nothing is left to do"))
    assert path.read_bytes() == before
    held = supernet_folder.describe(tmp_path / "s")
    assert (held.kind, held.epochs, held.seed, held.skeleton) == ("uniform", 2, 7, SKELETON)
    for change in ({"kind": "rsps"}, {"epochs": 3}, {"seed": 8}, {"skeleton": replace(SKELETON, cells=2)}):
        with pytest.raises(NessBenchError, match="finished supernet of another"):
            train(tmp_path / "s", **({"epochs": 2} | change))


def test_killed_it_goes_on_to_the_same_bytes(tmp_path):
    command = [sys.executable, "-m", "ness_bench.cli", "supernet", "train", "--epochs", "30", "--cells", "1"]
    command += ["--train-examples", "480", "--val-examples", "250"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--out", tmp_path / "whole"], check=True, env=environment, capture_output=True)
    process = subprocess.Popen([*command, "--out", tmp_path / "killed"], env=environment, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / supernet_folder.CHECKPOINT
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / supernet_folder.WEIGHTS).exists()  # it was not too late
    with pytest.raises(NessBenchError, match="its training has begun: the same command goes on"):
        supernet_folder.describe(tmp_path / "killed")
    subprocess.run([*command, "--out", tmp_path / "killed"], check=True, env=environment, capture_output=True)
    whole, killed = ((tmp_path / of / supernet_folder.WEIGHTS).read_bytes() for of in ("whole", "killed"))
    assert whole == killed


def test_scores_are_those_of_every_path(scored):
    folder, counted = scored
    paths = sorted({prune(architecture) for architecture in architectures()})
    assert counted[0] == sum(counted[1:]) == len(paths)
    read = supernet_folder.score(folder, DATA, 1, pytest.fail, pytest.fail)  # not computed again
    assert [tuple(a) for a in read.architectures.tolist()] == paths
    model, alphas = weights.load(folder / supernet_folder.WEIGHTS, SKELETON)
    np.testing.assert_array_equal(read.alphas, alphas)
    images = DATA.normalise(DATA.val.pixels)
    for row in (5, 4_000, 9_000):
        batches = (images[:100], images[100:200], images[200:])
        predicted = np.concatenate([inherited.probabilities(model, paths[row], batch) for batch in batches])
        assert read.accuracy[row] == pytest.approx((predicted.argmax(1) == DATA.val.labels).mean(), abs=0.005)
        assert read.nll[row] == pytest.approx(-np.log(predicted[np.arange(250), DATA.val.labels]).mean(), rel=1e-3)


def test_a_bank_takes_it_in_and_searches_can_buy_it(scored, tmp_path, bank):
    folder, _ = scored
    shutil.copytree(bank.folder, tmp_path / "bank")
    assert supernet_folder.add(folder, tmp_path / "bank") == "gdas-1-seed7"
    grown = open_bank(tmp_path / "bank")  # its digests are checked
    assert grown.digest != bank.digest
    supernet = BankTask.of(grown, 3, 100).supernet("gdas", 1)
    asked = grown.space.array[:4]
    stored = next(of for of in grown.supernets if of.kind == "gdas")
    sums = stored.batch_log_likelihoods[stored.rows(asked)].astype(np.float64).sum(1)
    np.testing.assert_allclose(supernet.log_likelihoods(asked, np.arange(3)), sums)
    lines = dict(supernet_report.ranked(folder, stored, grown))
    assert f"Spearman {ranks_of(grown, stored)['classes'].spearman:.3f}" in lines["ranks of classes"]
    with pytest.raises(NessBenchError, match="has a supernet gdas-1-seed7 already"):
        supernet_folder.add(folder, tmp_path / "bank")


def test_what_does_not_fit_is_refused(scored, tmp_path, bank):
    folder, _ = scored
    fewer = replace(DATA, val=DATA.val.first(200))
    with pytest.raises(NessBenchError, match="name the data set, and as many examples of it"):
        supernet_folder.score(folder, fewer, 1, pytest.fail, pytest.fail)
    train(tmp_path / "wide", skeleton=replace(SKELETON, channels=8))
    with pytest.raises(NessBenchError, match="give a bank of the same skeleton"):
        supernet_folder.add(tmp_path / "wide", bank.folder)
    train(tmp_path / "fewer", data=fewer)
    with pytest.raises(NessBenchError, match="give a bank of the same images"):
        supernet_folder.add(tmp_path / "fewer", bank.folder)
    train(tmp_path / "unscored")
    with pytest.raises(NessBenchError, match="has not been scored; run `ness-bench supernet evaluate"):
        supernet_folder.add(tmp_path / "unscored", bank.folder)
    shutil.copytree(folder, tmp_path / "damaged")
    (tmp_path / "damaged" / supernet_folder.SCORES).write_bytes((folder / supernet_folder.SCORES).read_bytes()[:-99])
    with pytest.raises(NessBenchError, match="is damaged"):
        supernet_folder.score(tmp_path / "damaged", DATA, 1, pytest.fail, pytest.fail)
    with pytest.raises(NessBenchError, match="is damaged"):
        supernet_folder.add(tmp_path / "damaged", bank.folder)
    recipe = recipe_of("uniform", 1, learning_rate=0.01)
    supernet_folder.train(tmp_path / "slow", DATA, SKELETON, "uniform", recipe, 7, lambda epoch, loss: None)
    shutil.copy(folder / supernet_folder.SCORES, tmp_path / "slow")
    with pytest.raises(NessBenchError, match="another learning_rate than the others of its kind"):
        supernet_folder.add(tmp_path / "slow", bank.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(NessBenchError, match="neither an empty folder nor one of a supernet"):
        train(tmp_path / "other")
    with pytest.raises(NessBenchError, match="holds no finished supernet"):
        supernet_folder.describe(tmp_path / "other")
    (tmp_path / "unscored" / supernet_folder.WEIGHTS).write_bytes(b"{}")
    with pytest.raises(NessBenchError, match="cannot be read"):
        supernet_folder.describe(tmp_path / "unscored")


def test_of_darts_cell_space_random_architectures_are_evaluated(tmp_path):
    skeleton = DartsSkeleton(4, 3, 1, 10, 8)
    few = replace(DATA, train=DATA.train.first(130), val=DATA.val.first(40))
    train(tmp_path / "d", "gdas", skeleton=skeleton, data=few)
    lines = dict(supernet_report.sampled(tmp_path / "d", few))
    assert lines["derives"].startswith("Genotype(normal=[(")
    assert "20 random architectures on 40 validation images" in lines["inherited weights"]
    assert "no stand-alone accuracies" in lines["ranks"]
    with pytest.raises(NessBenchError, match="name the data set, and as many examples of it"):
        supernet_report.sampled(tmp_path / "d", DATA)
    with pytest.raises(NessBenchError, match="another space than NAS-Bench-201"):
        supernet_folder.score(tmp_path / "d", few, 1, pytest.fail, pytest.fail)
