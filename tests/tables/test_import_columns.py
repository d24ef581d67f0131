import numpy as np
import pandas as pd
import pytest

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures, to_string
from ness_bench.tables.columns import import_columns
from ness_bench.tables.embedded import embedded
from ness_bench.tables.folder import open_table
from ness_bench.tables.nats_bench import import_nats

STRINGS = [to_string(architecture) for architecture in architectures()]

DATASETS = ("cifar10", "cifar100", "imagenet16-120")


def imported(rows, out, suffix=".csv"):
    path = out.with_suffix(suffix)
    rows.to_csv(path, index=False) if suffix == ".csv" else rows.to_parquet(path)
    import_columns(path, out)
    return open_table(out)


@pytest.fixture(scope="module")
def copy(shared):
    return shared / "data" / "nb201" / "nb201.parquet"


@pytest.fixture(scope="module")
def table(copy, tmp_path_factory):
    out = tmp_path_factory.mktemp("tables") / "copy"
    import_columns(copy, out)
    return open_table(out)


@pytest.mark.parametrize("dataset", DATASETS)
def test_validation_is_that_of_another_copy_seed_by_seed(table, dataset):
    ours, theirs = table.run(dataset, "val", 200), embedded().run(dataset, "val", 200)
    assert ours.seeds == theirs.seeds == (777, 888, 999)
    np.testing.assert_allclose(ours.accuracy["val"], theirs.accuracy["val"], rtol=2e-6)
    np.testing.assert_allclose(ours.train_seconds, theirs.train_seconds, rtol=2e-6)


@pytest.mark.parametrize(
    ("dataset", "split", "best", "accuracy"),
    [
        ("cifar10", "val", 6111, 91.61),
        ("cifar10", "test", 6111, 94.37),
        ("cifar100", "val", 9930, 73.49),
        ("cifar100", "test", 9930, 73.51),
        ("imagenet16-120", "val", 10676, 46.73),
        ("imagenet16-120", "test", 857, 47.31),
    ],
)
def test_published_optima(table, dataset, split, best, accuracy):
    accuracies = table.accuracy(dataset, split, 200, missing="available-mean")
    assert accuracies.argmax() == best
    assert round(float(accuracies.max()), 2) == accuracy


def test_every_column_means_what_the_official_files_say(table, shared, tmp_path):
    folder = shared / "data" / "nats-sample" / "NATS-tss-v1_0-3ffb9-simple"
    import_nats(folder, tmp_path / "official", partial=True)
    official = open_table(tmp_path / "official")
    rows = [table.row(architecture) for architecture in official.architectures]
    for (training_set, epochs), run in table.runs.items():
        theirs = official.runs[training_set, epochs]
        seconds = np.broadcast_to(theirs.train_seconds[:, :1], run.train_seconds[rows].shape)
        np.testing.assert_allclose(run.train_seconds[rows], seconds, rtol=1e-6)
        for split, accuracy in run.accuracy.items():
            last = theirs.accuracy[split][:, :, -1]
            if accuracy.shape[1] == 3:
                np.testing.assert_allclose(accuracy[rows, :, 0], last, rtol=1e-6)
            else:
                np.testing.assert_allclose(accuracy[rows, 0, 0], last.mean(1), rtol=1e-6)
    for training_set, networks in table.networks.items():
        theirs = official.networks[training_set]
        np.testing.assert_allclose(networks.latency_seconds[rows], theirs.latency_seconds, rtol=1e-6)
        np.testing.assert_array_equal(networks.parameters[rows], theirs.parameters)


@pytest.mark.parametrize("dataset", ["cifar100", "imagenet16-120"])
def test_a_mean_over_seeds_is_no_seeds(table, dataset):
    assert table.curves(dataset, "test", 200).shape == (15_625, 1, 1)
    assert table.accuracy(dataset, "val", 200, 888).shape == (15_625,)
    for missing in ("error", "available-mean"):
        with pytest.raises(
            NessBenchError, match=f"{dataset} test after 200 epochs: the table holds the mean over seeds"
        ):
            table.accuracy(dataset, "test", 200, 888, missing=missing)
    with pytest.raises(NessBenchError, match="has no seed 777 for runs of 12 epochs; it has: none"):
        table.accuracy(dataset, "val", 12, 777)


def test_rows_are_known_by_their_string(copy, table, tmp_path):
    rows = pd.read_parquet(copy).iloc[[11, 9930, 284]].assign(index=[0, 1, 2])
    some = imported(rows, tmp_path / "some")
    assert some.architectures == tuple(architectures()[index] for index in (11, 284, 9930))
    assert some.source == "columns of some.csv, 3 of 15,625 architectures"
    for dataset in DATASETS:
        for split in ("val", "test"):
            whole = table.accuracy(dataset, split, 200, missing="available-mean")
            part = some.accuracy(dataset, split, 200, missing="available-mean")
            np.testing.assert_allclose(part, whole[[11, 284, 9930]], rtol=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_a_file_lacks_is_not_made_up(tmp_path, suffix):
    known = {"c10_valid200_mean": [90.0, 80.0], "c100_test12": [5, 6], "in16_valid200_s1": [40.0, None]}
    unknown = {"c100_test200_s0_derived": [1.0, 2.0], "c10_valid90": [1.0, 2.0], "index": [7, 7]}
    table = imported(pd.DataFrame({"arch": STRINGS[3::-3], **known, **unknown}), tmp_path / "some", suffix)
    assert sorted(table.runs) == [("cifar10-valid", 200), ("cifar100", 12), ("imagenet16-120", 200)]
    assert table.accuracy("cifar10", "val", 200).tolist() == [80, 90]
    assert table.accuracy("cifar100", "test", 12).tolist() == [6, 5]
    run = table.runs["imagenet16-120", 200]
    assert run.seeds == (888,)
    np.testing.assert_array_equal(run.accuracy["val"], [[[np.nan]], [[40.0]]])
    assert np.isnan(run.train_seconds).all()
    assert np.isnan(table.networks["cifar100"].latency_seconds).all()


ACCURACIES = {"c10_valid200_mean": [90.0, 80.0]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (ACCURACIES, r'has no column "arch", of strings such as \|avg_pool_3x3~0'),
        ({"arch": STRINGS[:2]}, "has no column of accuracies, such as c10_valid200_mean"),
        ({"arch": STRINGS[:2], "c10_latency_s": [0.01, 0.02]}, "has no column of accuracies"),
        ({"arch": [STRINGS[5]] * 2, **ACCURACIES}, r"rows 0 and 1 are the same architecture, \|"),
        ({"arch": [STRINGS[5], "|conv~0|"], **ACCURACIES}, r'row 1: architecture "\|conv~0\|" has 1 nodes'),
        ({"arch": [STRINGS[5], None], **ACCURACIES}, "row 1: architecture"),
        ({"arch": STRINGS[:2], "c10_valid200_s0": ["good", "bad"]}, "column c10_valid200_s0 does not hold numbers"),
        (
            {"arch": STRINGS[:2], "c10_test200_mean": [90.0, 101.0]},
            "column c10_test200_mean does not hold accuracies in",
        ),
        (
            {"arch": STRINGS[:2], "c10_test200_mean": [90.0, -1.0]},
            "column c10_test200_mean does not hold accuracies in",
        ),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path, columns, message):
    with pytest.raises(NessBenchError, match=message):
        imported(pd.DataFrame(columns), tmp_path / "table")
    assert not (tmp_path / "table").exists()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "table.parquet").write_text("no Parquet")
    (tmp_path / "table.csv").write_text("")
    for name in ("table.parquet", "table.csv", "missing.csv"):
        with pytest.raises(NessBenchError, match=rf"{name} cannot be read: "):
            import_columns(tmp_path / name, tmp_path / "out")
    with pytest.raises(
        NessBenchError, match=r"table\.xlsx was given; columns are read from files named \.parquet or \.csv"
    ):
        import_columns(tmp_path / "table.xlsx", tmp_path / "out")
    with pytest.raises(NessBenchError, match="exists and is not an empty folder"):
        import_columns(tmp_path / "missing.csv", tmp_path)
