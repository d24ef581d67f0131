"""Lookups, against arrays that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ness_bench.errors import NessBenchError
from ness_bench.spaces import nas_bench_201 as space
from ness_bench.tables.folder import check_digests, open_table, write_table
from ness_bench.tables.table import Networks, Run
from ness_bench.tables.trials import Trial, assemble

INDEX = np.array([0, 11, 284, 15_624])


def curves(seeds, epochs, offset=0.0):
    """Architecture a, seed s, epoch e has 10 a + s + e / 100."""
    a, s, e = np.ogrid[: len(INDEX), :seeds, :epochs]
    return (10 * a + s + e / 100 + offset).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Two runs of cifar10's half, one with curves, and one of cifar100; seed 999 is missing for row 2."""
    full, last = curves(3, 5), curves(3, 1, offset=50)
    full[2, 2] = np.nan
    seconds = np.full((len(INDEX), 3), 100.0)
    runs = {
        ("cifar10-valid", 5): Run((777, 888, 999), {"val": full, "test": last}, seconds, {"val": seconds / 10}),
        ("cifar10-valid", 2): Run((), {"val": curves(1, 2, offset=70)}, seconds[:, :1], {}),
        ("cifar100", 5): Run((777, 888, 999), {"val": last, "val+test": full}, seconds, {}),
    }
    costs = np.arange(len(INDEX)) * 1.0
    networks = {name: Networks(costs, costs, costs) for name in ("cifar10-valid", "cifar100")}
    write_table(tmp_path / "table", "made up", INDEX, runs, networks)
    return tmp_path / "table"


@pytest.fixture
def table(folder):
    return open_table(folder)


def test_what_was_written_is_looked_up(table):
    assert table.accuracy("cifar10-valid", "val", 5, 888, at=3).tolist() == pytest.approx([1.02, 11.02, 21.02, 31.02])
    assert table.accuracy("cifar10-valid", "val", 5, 777).tolist() == pytest.approx([0.04, 10.04, 20.04, 30.04])
    assert table.accuracy("cifar10-valid", "test", 5).tolist() == pytest.approx([51, 61, 71, 81])
    assert table.accuracy("cifar100", "val", 5, 999, at=5).tolist() == pytest.approx([52, 62, 72, 82])
    assert table.accuracy("cifar10", "val", 2, at=1).tolist() == pytest.approx([70, 80, 90, 100])


def test_runs_of_different_lengths_are_different_trainings(table):
    """A run of 2 epochs has annealed its learning rate by then; one of 5 has not."""
    short, at_two = table.accuracy("cifar10", "val", 2), table.accuracy("cifar10", "val", 5, 777, at=2)
    assert not np.allclose(short, at_two)


def test_missing_seeds_are_an_error_or_the_mean_of_the_others(table):
    for seed in (999, None):
        with pytest.raises(NessBenchError, match="1 of 4 architectures were not trained with"):
            table.accuracy("cifar10", "val", 5, seed)
    filled = table.accuracy("cifar10", "val", 5, 999, missing="available-mean")
    assert filled.tolist() == pytest.approx([2.04, 12.04, 20.54, 32.04])
    means = table.accuracy("cifar10", "val", 5, missing="available-mean")
    assert means.tolist() == pytest.approx([1.04, 11.04, 20.54, 31.04])
    assert table.accuracy("cifar10", "val", 5, 888)[2] == pytest.approx(21.04)
    assert np.isnan(table.curves("cifar10", "val", 5)[2, 2]).all()


def test_lookups_are_cached_and_cannot_be_written_to(table):
    first = table.accuracy("cifar100", "val", 5)
    assert table.accuracy("cifar100", "val", 5) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            ("cifar1", "val", 5),
            {},
            r'unknown data set "cifar1"; did you mean "cifar10"\?; known: cifar10, cifar10-valid',
        ),
        (("cifar10", "x-valid", 5), {}, 'cifar10 has no split "x-valid"; it has: val, test$'),
        (("cifar10", "val+test", 5), {}, "it has: val, test$"),
        (("cifar10", "test", 5), {}, "no cifar10 test accuracy after 5 epochs; it has: cifar10 val after 2 epochs; "),
        (("cifar10", "val", 200), {}, "no cifar10 val accuracy after 200 epochs"),
        (("cifar100", "val", 5), {"at": 4}, "was evaluated after the last only, not after 4"),
        (("cifar100", "val+test", 5), {"at": 6}, "epoch 6 was asked for; a run of 5 epochs has 1 to 5"),
        (("cifar100", "val+test", 5), {"at": 0}, "1 to 5"),
        (("cifar100", "val", 5, 111), {}, "no seed 111 for runs of 5 epochs; it has: 777, 888, 999"),
        (("cifar10", "val", 2, 777), {}, "no seed 777 for runs of 2 epochs; it has: none: the table holds one number"),
        (("cifar100", "val", 5), {"missing": "zero"}, 'missing was given as "zero"; allowed: error, available-mean'),
    ],
)
def test_what_there_is_not_is_refused(table, arguments, options, message):
    with pytest.raises(NessBenchError, match=message):
        table.accuracy(*arguments, **options)


def test_architectures_are_found_by_string_tuple_and_index(table):
    for row, index in enumerate(INDEX):
        architecture = space.architectures()[index]
        for name in (space.to_string(architecture), architecture, int(index), index, np.uint16(index)):
            assert table.row(name) == row
    assert table.rows([11, np.int64(15_624)]).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (15_625, "index 15625 was given; indices run from 0 to 15624"),
        (-1, "index -1 was given"),
        (np.int64(-1), "index -1 was given"),
        (1.0, "1.0 is no architecture"),
        (None, "None is no architecture"),
        (12, "the table holds 4 of 15,625 architectures, and not "),
        ("|none~0|", "has 1 nodes"),
        ("", "has 1 nodes"),
    ],
)
def test_what_is_no_architecture_of_the_table_is_refused(table, name, message):
    with pytest.raises(NessBenchError, match=message):
        table.row(name)


def test_naslib_numbers_operations_and_edges_differently():
    """NASLib lists 0→1, 0→2, 0→3, 1→2, 1→3, 2→3 with skip, none, 3×3, 1×1, pool."""
    assert space.to_string(space.from_naslib((2, 0, 3, 1, 4, 2))) == (
        "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    assert len({space.from_naslib(architecture) for architecture in space.architectures()}) == 15_625
    for wrong in ((0, 1, 2), (0, 0, 0, 0, 0, 5), (0, 0, 0, 0, 0, -1)):
        for read in (space.from_naslib, space.from_indices):
            with pytest.raises(NessBenchError, match="an architecture has 6, from 0 to 4"):
                read(wrong)


@given(st.data())
def test_trials_in_any_order_make_the_same_table(data):
    trials = [
        Trial(int(index), "cifar100", 3, seed, {"val": np.float32([index, seed, row])}, 9.0, {"val": 1.0}, 0.1, 5, 7)
        for row, index in enumerate(INDEX)
        for seed in (777, 888)
        if (row, seed) != (1, 888)
    ]
    order = data.draw(st.permutations(trials))
    index, runs, networks = assemble(order)
    run = runs["cifar100", 3]
    assert index.tolist() == INDEX.tolist()
    assert run.seeds == (777, 888)
    for trial in trials:
        row = INDEX.tolist().index(trial.index)
        np.testing.assert_array_equal(run.accuracy["val"][row, run.seeds.index(trial.seed)], trial.accuracy["val"])
    assert np.isnan(run.accuracy["val"][1, 1]).all()
    assert np.isnan(run.train_seconds).sum() == 1
    np.testing.assert_allclose(networks["cifar100"].latency_seconds, 0.1)
    with pytest.raises(NessBenchError, match="comes twice"):
        assemble([*trials, trials[0]])


def test_a_damaged_table_is_named(folder):
    path = folder / "cifar10-valid-5-accuracy-val.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\0")
    with pytest.raises(NessBenchError, match=r"cifar10-valid-5-accuracy-val.npy is damaged"):
        check_digests(folder)
    for damage in (whole[:100], whole[:20], b"", b"\x80\x04."):
        path.write_bytes(damage)
        with pytest.raises(NessBenchError, match=r"accuracy-val.npy is missing or damaged"):
            open_table(folder)
    path.unlink()
    with pytest.raises(NessBenchError, match=r"accuracy-val.npy is missing or damaged"):
        open_table(folder)


def test_what_describes_no_table_is_refused(folder):
    path = folder / "table.json"
    text = path.read_text()
    for damage, message in (
        (text.replace('"schema": 1', '"schema": 2'), "has schema 2, this version of ness_bench reads schema 1"),
        (text.replace('"cifar100"', '"svhn"', 1), "describes no table"),
        (text[:50], "describes no table"),
    ):
        path.write_text(damage)
        with pytest.raises(NessBenchError, match=message):
            open_table(folder)
    path.unlink()
    with pytest.raises(NessBenchError, match="holds no table"):
        open_table(folder)


def test_a_folder_in_use_is_left_alone(folder):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(NessBenchError, match="exists and is not an empty folder"):
        write_table(folder, "made up", INDEX, {}, {})
    assert sorted(path.name for path in folder.iterdir()) == before
    assert [path.name for path in folder.parent.iterdir()] == ["table"]
