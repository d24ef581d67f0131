import bz2
import io
import pickle
import shutil
import tracemalloc

import nats_bench
import numpy as np
import official_files
import pytest
from official_files import STRINGS, content, numbers, write_file, write_folder

from ness_bench.errors import NessBenchError
from ness_bench.tables.folder import check_digests, open_table
from ness_bench.tables.nats_bench import import_nats
from ness_bench.tables.official import read_table
from ness_bench.tables.official_apis import import_api

SAMPLE = (0, 11, 284)

METRICS = {"val": "valid", "test": "test", "val+test": "valtest"}  # our split: its name in the official API's answers

TRAININGS = {  # the official data set: ours, and what of ours is that training alone
    "cifar10-valid": ("cifar10-valid", ("val", "test")),
    "cifar10": ("cifar10", ("test",)),
    "cifar100": ("cifar100", ("val", "test", "val+test")),
    "ImageNet16-120": ("imagenet16-120", ("val", "test", "val+test")),
}


def imported(path, out, **options):
    import_nats(path, out, **options)
    check_digests(out)
    return open_table(out)


@pytest.fixture(scope="module")
def sample_folder(shared):
    return shared / "data" / "nats-sample" / "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="module")
def sample_api(sample_folder):
    return nats_bench.create(str(sample_folder), "tss", fast_mode=True, verbose=False)


@pytest.fixture(scope="module")
def sample(sample_folder, tmp_path_factory):
    return imported(sample_folder, tmp_path_factory.mktemp("tables") / "sample", partial=True)


@pytest.fixture(scope="module")
def made():
    """Four architectures; number 11 was not trained with seed 999."""
    return {
        index: official_files.states(index, (777, 888) if index == 11 else (777, 888, 999))
        for index in (3, 11, 284, 15_624)
    }


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "NATS-tss-made-simple"
    write_folder(path, made)
    return path


@pytest.fixture(scope="module")
def file(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "NATS-tss-made.pickle.pbz2"
    write_file(path, content(made))
    return path


@pytest.fixture(scope="module")
def api(file):
    return nats_bench.create(str(file), "tss", verbose=False)


@pytest.fixture(scope="module")
def table(folder, tmp_path_factory):
    return imported(folder, tmp_path_factory.mktemp("tables") / "made", partial=True)


@pytest.mark.parametrize(("hp", "epochs"), [("12", range(12)), ("200", (0, 11, 57, 198, 199))])
@pytest.mark.parametrize("name", TRAININGS)
def test_every_number_is_what_the_official_api_answers_and_no_other_is_there(sample, sample_api, name, hp, epochs):
    """Not so if it answers with the accuracy of val and test together, for want of those apart."""
    dataset, splits = TRAININGS[name]
    run = sample.runs[dataset, int(hp)]
    for row, index in enumerate(SAMPLE):
        for column, seed in enumerate(run.seeds):
            for epoch in epochs:
                answer = sample_api.get_more_info(index, name, iepoch=epoch, hp=hp, is_random=seed)
                for split in splits:
                    asked = (dataset, split, int(hp), seed)
                    if f"{METRICS[split]}-accuracy" in answer:
                        accuracy = sample.accuracy(*asked, at=epoch + 1)[row]
                        assert accuracy == np.float32(answer[f"{METRICS[split]}-accuracy"])
                    else:
                        with pytest.raises(NessBenchError, match="was evaluated after the last only"):
                            sample.accuracy(*asked, at=epoch + 1)
            assert run.train_seconds[row, column] == pytest.approx(answer["train-all-time"], rel=1e-12)
            for split in splits:
                seconds = run.evaluation_seconds[split][row, column]
                assert seconds == pytest.approx(answer[f"{METRICS[split]}-per-time"], rel=1e-12)
        cost = sample_api.get_cost_info(index, name, hp=hp)
        networks = sample.networks[dataset]
        assert networks.latency_seconds[row] == pytest.approx(cost["latency"], rel=1e-12)
        assert networks.parameters[row] == round(1e6 * cost["params"])
        assert networks.flops[row] == round(1e6 * cost["flops"])


@pytest.mark.parametrize("hp", ["12", "200"])
def test_curves_are_those_of_the_files(sample, sample_folder, hp):
    for row, index in enumerate(SAMPLE):
        with bz2.open(sample_folder / f"{index:06d}.pickle.pbz2") as file:
            results = pickle.load(file)[hp]["all_results"]
        for (name, seed), result in results.items():
            dataset, splits = TRAININGS[name]
            run = sample.runs[dataset, int(hp)]
            official = ("x-valid", "ori-test") if name == "cifar10-valid" else ("x-valid", "x-test", "ori-test")
            for split, theirs in zip(splits, official if len(splits) > 1 else ("ori-test",), strict=True):
                curve = run.accuracy[split][row, run.seeds.index(seed)]
                epochs = range(int(hp) - len(curve), int(hp))
                np.testing.assert_array_equal(
                    curve, np.float32([result["eval_acc1es"][f"{theirs}@{epoch}"] for epoch in epochs])
                )


def test_a_published_architecture(sample):
    """Architecture 11, which the NATS-Bench paper's table does not show: known from other copies of the table."""
    row = sample.row(11)
    assert sample.accuracy("cifar10", "test", 200)[row] == pytest.approx(91.583336)
    assert sample.accuracy("cifar10-valid", "val", 200)[row] == pytest.approx(87.940002)
    assert sample.accuracy("cifar10-valid", "test", 200)[row] == pytest.approx(87.65, abs=0.01)
    assert sample.source == "NATS-Bench topology, NATS-tss-v1_0-3ffb9-simple, 3 of 15,625 architectures"


def test_every_way_to_the_files_leads_to_the_same_table(sample, sample_api, table, api, folder, file, tmp_path):
    told = []
    progress = {"begun": told.append, "done": lambda: told.append(None), "partial": True}
    from_file = imported(file, tmp_path / "file", **progress)
    from_folder = imported(folder, tmp_path / "folder", workers=2, **progress)
    import_api(api, tmp_path / "api", **progress)
    assert told == [15_625, None, None, None, None, 4, None, None, None, None, 4, None, None, None, None]
    for other in (from_file, from_folder, open_table(tmp_path / "api")):
        np.testing.assert_equal(numbers(other), numbers(table))
    assert from_file.source == "NATS-Bench topology, NATS-tss-made, 4 of 15,625 architectures"
    import_api(sample_api, tmp_path / "sample", SAMPLE, partial=True)
    np.testing.assert_equal(numbers(open_table(tmp_path / "sample")), numbers(sample))


def test_a_seed_that_was_not_trained_is_nan_and_no_other(table, api):
    row = table.row(11)
    for dataset, split in (("cifar10", "val"), ("cifar10", "test"), ("cifar100", "val"), ("imagenet16-120", "test")):
        run = table.run(dataset, split, 200)
        assert run.seeds == (777, 888, 999)
        assert np.isnan(table.curves(dataset, split, 200)[row, 2]).all()
        assert np.isnan(run.train_seconds[row, 2])
        with pytest.raises(NessBenchError, match="1 of 4 architectures were not trained with seed 999"):
            table.accuracy(dataset, split, 200, 999)
        others = table.accuracy(dataset, split, 200, missing="available-mean")[row]
        assert others == pytest.approx(table.curves(dataset, split, 200)[row, :2, -1].mean())
    with pytest.raises(ValueError, match="can not find random seed"):
        api.get_more_info(11, "cifar10", hp="200", is_random=999)


def test_runs_of_12_and_200_epochs_are_apart(table, made):
    row = table.row(3)
    for hp in ("12", "200"):
        result = made[3][hp]["all_results"]["cifar10-valid", 777]
        for at in (1, 12):
            assert table.accuracy("cifar10", "val", int(hp), 777, at=at, missing="available-mean")[row] == np.float32(
                result["eval_acc1es"][f"x-valid@{at - 1}"]
            )
    assert table.runs["cifar10-valid", 12].seeds == (111, 777)
    with pytest.raises(NessBenchError, match="a run of 12 epochs has 1 to 12"):
        table.accuracy("cifar10", "val", 12, at=13)


def test_validation_of_cifar10_is_of_the_training_on_half(table, made):
    assert set(table.runs["cifar10", 200].accuracy) == {"test"}
    half, whole = (made[3]["200"]["all_results"][name, 777]["eval_acc1es"] for name in ("cifar10-valid", "cifar10"))
    row = table.row(3)
    for dataset, split, theirs in (
        ("cifar10", "val", half["x-valid@199"]),
        ("cifar10", "test", whole["ori-test@199"]),
        ("cifar10-valid", "test", half["ori-test@199"]),
    ):
        assert table.accuracy(dataset, split, 200, 777)[row] == np.float32(theirs)


def test_halves_of_the_test_set_have_no_curves_that_the_api_would_make_up(table, api):
    for name in ("cifar100", "ImageNet16-120"):
        accuracy, *_ = api.simulate_train_eval(STRINGS[11], name, iepoch=11, hp="200")
        both = table.accuracy(name.lower(), "val+test", 200, at=12, missing="available-mean")
        assert np.float32(accuracy) in table.curves(name.lower(), "val+test", 200)[table.row(11), :, 11]
        assert np.isfinite(both).all()
        for split in ("val", "test"):
            with pytest.raises(NessBenchError, match="was evaluated after the last only, not after 12"):
                table.accuracy(name.lower(), split, 200, at=12)


def test_numpy_integers_are_indices(table, api):
    assert api.query_index_by_arch(np.int64(284)) == -1
    assert table.row(np.int64(284)) == table.row(284) == table.row(STRINGS[284]) == 2


def copied(states):
    return pickle.loads(pickle.dumps(states))


def imported_states(states, tmp_path):
    folder = tmp_path / "folder"
    write_folder(folder, {states["200"]["arch_index"]: states})
    return imported(folder, tmp_path / "table", partial=True)


def test_another_networks_size_is_put_right(made, tmp_path):
    """Of some runs of seeds 777 and 999 the recorded size is that of another network; so the official API."""
    states = copied(made[3])
    for name in TRAININGS:
        wrong = states["200"]["all_results"][name, 777]
        wrong["params"], wrong["flop"] = 0.5, 100.0
    table = imported_states(states, tmp_path)
    api = nats_bench.create(str(tmp_path / "folder"), "tss", fast_mode=True, verbose=False)
    for name, (dataset, _) in TRAININGS.items():
        cost = api.get_cost_info(3, name, hp="200")
        assert table.networks[dataset].parameters == round(1e6 * cost["params"]) != 500_000
        assert table.networks[dataset].flops == round(1e6 * cost["flops"]) != 100_000_000


def test_what_was_not_recorded_is_nan(made, tmp_path):
    states = copied(made[3])
    for state, (nothing, times) in zip(states.values(), ((None, None), ([], {})), strict=True):
        for result in state["all_results"].values():
            result.update(latency=nothing, train_times=times, eval_times=times)
    states["200"]["all_results"]["cifar10", 777]["latency"] = [-1.0]
    table = imported_states(states, tmp_path)
    for run in table.runs.values():
        assert np.isnan(run.train_seconds).all()
        assert run.evaluation_seconds == {}
    for networks in table.networks.values():
        assert np.isnan(networks.latency_seconds).all()


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_the_files_is_refused_and_does_not_run(made, tmp_path, protocol):
    trace = tmp_path / "trace"
    states = copied(made[3])
    states["200"]["all_results"]["cifar10", 999]["latency"] = [Attack(trace)]
    write_folder(tmp_path / "states", {})
    write_file(tmp_path / "states" / "000003.pickle.pbz2", states, protocol)
    write_folder(tmp_path / "meta", {3: made[3]})
    write_file(tmp_path / "meta" / "meta.pickle.pbz2", {"meta_archs": Attack(trace)}, protocol)
    write_file(tmp_path / "file.pickle.pbz2", {"arch2infos": {3: states}}, protocol)
    for path in ("states", "meta", "file.pickle.pbz2"):
        with pytest.raises(
            NessBenchError, match=r"is refused: it asks for _?io\.open, .*; nothing of it was imported or run"
        ):
            import_nats(tmp_path / path, tmp_path / "out", partial=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.pickle.pbz2", "meta", "states"]


@pytest.mark.parametrize("share", [0, 0.5, None])
def test_truncated_files_are_refused(folder, file, tmp_path, share):
    """The last byte of all belongs to a checksum."""
    for name, path in (("meta", folder / "meta.pickle.pbz2"), ("one", folder / "000011.pickle.pbz2"), ("file", file)):
        if name == "file":
            damaged = target = tmp_path / file.name
        else:
            damaged = tmp_path / name
            shutil.copytree(folder, damaged)
            target = damaged / path.name
        whole = path.read_bytes()
        target.write_bytes(whole[: -1 if share is None else int(share * len(whole))])
        with pytest.raises(NessBenchError, match=rf"{target.name} is damaged, incomplete or no .*\("):
            import_nats(damaged, tmp_path / "out", partial=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_pickles_that_end_early_are_refused(made, tmp_path, cut):
    data = pickle.dumps({"arch2infos": {3: made[3]}}, 4)
    (tmp_path / "file").write_bytes(bz2.compress(data[: int(cut * len(data))]))
    with pytest.raises(NessBenchError, match="file is damaged, incomplete or no compressed pickle"):
        import_nats(tmp_path / "file", tmp_path / "out", partial=True)


def renamed(folder):
    (folder / "000011.pickle.pbz2").rename(folder / "000012.pickle.pbz2")


def without_meta(folder):
    (folder / "meta.pickle.pbz2").unlink()


def emptied(folder):
    for path in folder.glob("0*"):
        path.unlink()


def doubled(folder):
    shutil.copy(folder / "000011.pickle.pbz2", folder / "11.pickle.pbz2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed, r"000012\.pickle\.pbz2 holds architecture 11, not the one that it is named after"),
        (without_meta, r"is no NATS-Bench folder: it holds no meta\.pickle\.pbz2"),
        (emptied, "nothing is imported"),
        (doubled, "architecture 11 comes twice"),
        (lambda folder: write_file(folder / "meta.pickle.pbz2", [1]), "it has no list of architectures, meta_archs"),
        (lambda folder: write_file(folder / "000011.pickle.pbz2", 3.0), "in another form than the official"),
    ],
)
def test_folders_that_are_not_as_published_are_refused(folder, tmp_path, change, message):
    shutil.copytree(folder, tmp_path / "changed")
    change(tmp_path / "changed")
    with pytest.raises(NessBenchError, match=message):
        import_nats(tmp_path / "changed", tmp_path / "out", partial=True)
    assert not (tmp_path / "out").exists()


def reordered(held):
    held["meta_archs"] = [STRINGS[1], STRINGS[0], *STRINGS[2:]]


def other_key(held):
    held["meta_archs"] = STRINGS
    held["arch2infos"][4] = held["arch2infos"].pop(3)


def other_string(held):
    held["arch2infos"][3]["200"]["arch_str"] = held["arch2infos"][3]["12"]["arch_str"] = STRINGS[4]


def from_the_end(held):
    for state in held["arch2infos"][3].values():
        state.update(arch_index=-1, arch_str=STRINGS[-1])


def other_length(held):
    held["arch2infos"][3]["200"]["all_results"]["cifar10", 777]["epochs"] = 12


def without_12(held):
    del held["arch2infos"][3]["12"]


def size_space(held):
    states = held["arch2infos"][3]
    held["arch2infos"] = {3: {hp: states["12"] | {"arch_str": "8:8:8:8:8"} for hp in ("01", "12", "90")}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (reordered, "lists 15,625 architectures, not the 15,625 of NAS-Bench-201 in their published order"),
        (other_key, "what it holds as architecture 4 is another, or none"),
        (other_string, r"its architecture 3 is \|.*, but the published one is another"),
        (other_length, "ValueError: a run of 12 epochs among those of 200"),
        (without_12, "holds no architectures in arch2infos"),
        (size_space, r"is of NATS-Bench's size space \(8:8:8:8:8\), which has no cells; give the topology space"),
        (
            lambda held: held["arch2infos"][3].update({"90": held["arch2infos"][3]["12"]}),
            "has runs named 12, 200, 90; it",
        ),
        (from_the_end, r"its architecture -1 is \|.*, but the published one is another"),
        (lambda held: held["arch2infos"][3]["12"].update(arch_index=4), "in another form than the official"),
        (
            lambda held: held["arch2infos"][3]["12"]["all_results"].update({("svhn", 1): {"epochs": 12}}),
            "KeyError: 'svhn'",
        ),
        (lambda held: held.update(arch2infos=None), "holds no architectures in arch2infos"),
        (lambda held: held.update(meta_archs=["8:8:8:8:8", "8:8:8:8:16"]), r"size space \(8:8:8:8:8\)"),
        (lambda held: held.pop("arch2infos"), "holds no architectures in arch2infos"),
        (lambda held: held.pop("meta_archs"), "it has no list of architectures, meta_archs"),
        (lambda held: None, "it has no list of architectures, meta_archs"),
    ],
)
def test_files_that_are_not_as_published_are_refused(made, tmp_path, change, message):
    held = {"meta_archs": [], "arch2infos": {3: copied(made[3])}}
    change(held)
    write_file(tmp_path / "file.pickle.pbz2", held)
    with pytest.raises(NessBenchError, match=message):
        import_nats(tmp_path / "file.pickle.pbz2", tmp_path / "out", partial=True)
    assert not (tmp_path / "out").exists()


def test_some_architectures_are_refused_where_all_are_wanted(folder, file, tmp_path, sample_api):
    for path in (folder, file):
        with pytest.raises(
            NessBenchError, match=r"holds 4 of 15,625 architectures; give --partial to import those alone"
        ):
            import_nats(path, tmp_path / "out")
    with pytest.raises(NessBenchError, match=r"NATStopology of NATS-tss-v1_0-3ffb9-simple holds 3 of 15,625"):
        import_api(sample_api, tmp_path / "out", SAMPLE, begun=lambda total: pytest.fail("begun in vain"))
    assert not (tmp_path / "out").exists()


def test_an_api_is_asked_for_all_that_it_may_have(sample_api, tmp_path):
    """In fast mode it knows only what it was asked for before."""
    sample_api.query_meta_info_by_index(0, "12")
    with pytest.raises(NessBenchError, match="of NATS-tss-v1_0-3ffb9-simple does not have architecture 1 "):
        import_api(sample_api, tmp_path / "out")
    with pytest.raises(NessBenchError, match="does not have architecture 12 "):
        import_api(sample_api, tmp_path / "out", [11, np.int64(12)], partial=True)
    assert not (tmp_path / "out").exists()


def test_an_api_of_another_space_is_refused(tmp_path):
    """The size space's has another class, of which only the list of architectures is looked at."""
    held = {"meta_archs": ["8:8:8:8:8", "8:8:8:8:16"], "arch2infos": {}, "evaluated_indexes": []}
    api = nats_bench.create(held, "sss", verbose=False)
    with pytest.raises(NessBenchError, match=r"NATSsize of a dict is of NATS-Bench's size space \(8:8:8:8:8\)"):
        import_api(api, tmp_path / "out", partial=True)


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    for importing in (import_nats, lambda _, out: import_api(None, out)):
        with pytest.raises(NessBenchError, match="out exists and is not an empty folder"):
            importing(tmp_path / "no such file", tmp_path / "out")
    with pytest.raises(NessBenchError, match="no such file does not exist; give NATS-tss"):
        import_nats(tmp_path / "no such file", tmp_path / "new")


def test_memory_for_a_single_file_grows_by_what_is_kept():
    """Two bytes a string and the numbers of a table, not the objects that the file describes."""
    states = official_files.states(0, (888,))
    held = {index: copied(states) for index in range(8)}
    for index, of_one in held.items():
        for state in of_one.values():
            state.update(arch_index=index, arch_str=STRINGS[index])
    data = pickle.dumps({"arch2infos": held}, 4)
    del held
    memory = []
    tracemalloc.start()
    try:
        with pytest.raises(NessBenchError, match="meta_archs"):
            read_table(io.BytesIO(data), "file", lambda: memory.append(tracemalloc.get_traced_memory()[0]))
        before = tracemalloc.get_traced_memory()[0]
        whole = pickle.loads(data)
        of_one = (tracemalloc.get_traced_memory()[0] - before) / len(whole["arch2infos"])
    finally:
        tracemalloc.stop()
    growth = (memory[-1] - memory[1]) / (len(memory) - 2)
    assert growth < of_one / 20
