import pickle
import zipfile

import nas_201_api
import numpy as np
import official_files
import pytest
import torch
from nas_201_api import NASBench201API
from official_files import content, numbers, write_folder

from ness_bench.errors import NessBenchError
from ness_bench.tables.folder import open_table
from ness_bench.tables.nas_bench_201 import import_nas_bench_201
from ness_bench.tables.nats_bench import import_nats
from ness_bench.tables.official_apis import import_api

FORMATS = pytest.mark.parametrize("as_zip", [False, True], ids=["legacy", "zip"])


def made(**options):
    return {
        index: official_files.states(index, (777, 888) if index == 11 else (777, 888, 999), **options)
        for index in (3, 11)
    }


@pytest.fixture(scope="module")
def held():
    return content(made(names=("less", "full"), package=nas_201_api))


def imported(path, out, **options):
    import_nas_bench_201(path, out, partial=True, **options)
    return open_table(out)


@pytest.fixture(scope="module")
def same_in_nats_bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_folder(folder / "NATS-tss", made())
    import_nats(folder / "NATS-tss", folder / "table", partial=True)
    return open_table(folder / "table")


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_the_table_is_that_of_the_same_numbers_in_other_files(held, same_in_nats_bench, tmp_path, as_zip, protocol):
    """Two is what `torch.save` takes if not told otherwise."""
    path = tmp_path / "NAS-Bench-201-made.pth"
    torch.save(held, path, pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    table = imported(path, tmp_path / "table")
    np.testing.assert_equal(numbers(table), numbers(same_in_nats_bench))
    assert table.source == "NAS-Bench-201, NAS-Bench-201-made, 2 of 15,625 architectures"


def test_numbers_are_what_the_official_api_answers(held, tmp_path):
    torch.save(held, tmp_path / "file.pth")
    told = []
    table = imported(tmp_path / "file.pth", tmp_path / "table", begun=told.append, done=lambda: told.append(None))
    assert told == [15_625, None, None]
    api = NASBench201API(held, verbose=False)
    import_api(api, tmp_path / "api", partial=True)
    np.testing.assert_equal(numbers(open_table(tmp_path / "api")), numbers(table))
    answers = [api.get_more_info(index, "ImageNet16-120", hp="200", is_random=888) for index in (3, 11)]
    for split, metric in (("val", "valid"), ("test", "test"), ("val+test", "valtest")):
        accuracies = np.float32([answer[f"{metric}-accuracy"] for answer in answers])
        np.testing.assert_array_equal(table.accuracy("imagenet16-120", split, 200, 888), accuracies)
    times = [answer["train-all-time"] for answer in answers]
    np.testing.assert_allclose(table.runs["imagenet16-120", 200].train_seconds[:, 1], times, rtol=1e-12)


def test_the_first_version_has_runs_of_12_epochs_on_one_data_set(tmp_path):
    """Some architectures were trained once, and times of evaluation were not recorded yet."""
    states = made(names=("less", "full"))
    for of_one in states.values():
        short = of_one["less"]["all_results"]
        for key in [key for key in short if key[0] != "cifar10-valid"]:
            del short[key]
    full = states[3]["full"]["all_results"]
    for key in [key for key in full if key[1] != 777]:
        del full[key]
    for result in full.values():
        result["eval_times"] = {}
    torch.save(content(states), tmp_path / "file.pth", _use_new_zipfile_serialization=False)
    table = imported(tmp_path / "file.pth", tmp_path / "table")
    assert sorted(key for key in table.runs if key[1] == 12) == [("cifar10-valid", 12)]
    assert np.isfinite(table.curves("cifar100", "test", 200)[0]).any(1).tolist() == [True, False]
    seconds = table.runs["cifar100", 200].evaluation_seconds["test"]
    np.testing.assert_array_equal(np.isfinite(seconds), [[False, False], [True, True]])
    with pytest.raises(NessBenchError, match="has no cifar100 val accuracy after 12 epochs"):
        table.accuracy("cifar100", "val", 12)


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_file_is_refused_and_does_not_run(held, tmp_path, as_zip, protocol):
    attacked = held | {"arch2infos": held["arch2infos"] | {4: Attack(tmp_path / "trace")}}
    path = tmp_path / "file.pth"
    torch.save(attacked, path, pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    with pytest.raises(
        NessBenchError, match=r"file\.pth is refused: it asks for _?io\.open, .*; nothing of it was imported"
    ):
        imported(path, tmp_path / "table")
    assert list(tmp_path.iterdir()) == [path]


def test_code_before_the_table_is_refused_and_does_not_run(tmp_path):
    path = tmp_path / "file.pth"
    path.write_bytes(pickle.dumps(Attack(tmp_path / "trace"), 2))
    with pytest.raises(NessBenchError, match=r"file\.pth is refused: it asks for _?io\.open"):
        imported(path, tmp_path / "table")
    assert list(tmp_path.iterdir()) == [path]


@FORMATS
def test_archives_with_weights_are_recognised(held, tmp_path, as_zip):
    weights = {"net_state_dict": {"stem.0.weight": torch.zeros(2)}}
    torch.save(held | weights, tmp_path / "file.pth", _use_new_zipfile_serialization=as_zip)
    with pytest.raises(
        NessBenchError, match=r"it asks for torch\._utils\.\w+, .*: it is an archive with weights; the tables"
    ):
        imported(tmp_path / "file.pth", tmp_path / "table")


@FORMATS
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_truncated_files_are_refused(held, tmp_path, as_zip, share):
    torch.save(held, tmp_path / "whole.pth", _use_new_zipfile_serialization=as_zip)
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "file.pth").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NessBenchError, match=r"file\.pth is damaged, incomplete or no file of torch\.save \("):
        imported(tmp_path / "file.pth", tmp_path / "table")
    assert not (tmp_path / "table").exists()


def test_a_flipped_bit_in_a_zip_is_seen(held, tmp_path):
    torch.save(held, tmp_path / "file.pth")
    data = bytearray((tmp_path / "file.pth").read_bytes())
    data[data.index(b"x-valid@7") + 8] ^= 1
    (tmp_path / "file.pth").write_bytes(data)
    with pytest.raises(NessBenchError, match=r"is damaged, incomplete or no .*Bad CRC-32"):
        imported(tmp_path / "file.pth", tmp_path / "table")


def other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no pickle")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (other_zip, r"is damaged, incomplete or no file of torch\.save"),
        (lambda path: path.write_text("plain text"), r"is damaged, incomplete or no file of torch\.save"),
        (lambda path: path.write_bytes(pickle.dumps(1) * 4), r"was not written by torch\.save"),
        (lambda path: torch.save([1, 2], path), "is no official table: it holds no architectures in arch2infos"),
        (lambda path: None, "is no file; give NAS-Bench-201-v1_0"),
    ],
)
def test_foreign_files_are_refused(tmp_path, write, message):
    write(tmp_path / "file.pth")
    with pytest.raises(NessBenchError, match=message):
        imported(tmp_path / "file.pth", tmp_path / "table")


def test_some_architectures_are_refused_where_all_are_wanted(held, tmp_path):
    torch.save(held, tmp_path / "file.pth")
    with pytest.raises(NessBenchError, match="holds 2 of 15,625 architectures; give --partial to import those alone"):
        import_nas_bench_201(tmp_path / "file.pth", tmp_path / "table")
    assert not (tmp_path / "table").exists()
