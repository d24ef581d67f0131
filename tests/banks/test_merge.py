import json
from dataclasses import replace

import numpy as np
import pytest

from ness_bench.banks.bank import open_bank
from ness_bench.banks.build import build
from ness_bench.banks.estimate import estimate
from ness_bench.banks.merge import merge
from ness_bench.errors import NessBenchError
from ness_bench.testing.small_bank import small_plan

PLAN = small_plan(
    classes=4, random_repeated=2, best_repeated=1, extra_seeds=1, uniform_epochs=(1,), darts_epochs=0, supernet_seeds=1
)


def quiet(folder, shard=None, plan=PLAN):
    build(plan, folder, 1, lambda stage, total, done: None, lambda stage: None, shard)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """What two machines have left."""
    folders = [tmp_path_factory.mktemp("machine") / "bank" for _ in range(2)]
    for number, folder in enumerate(folders, start=1):
        quiet(folder, (number, 2))
    return [folder.with_name("bank.partial") for folder in folders]


def test_shards_share_the_work_and_make_the_same_bank(shards, tmp_path):
    done = [{path.name for path in shard.glob("*/*.*") if path.name[0].isdigit()} for shard in shards]
    assert not done[0] & done[1]
    assert len(done[0] | done[1]) == 4 + 2  # members; the supernet is one of the shards', too
    assert merge(shards, tmp_path / "merged") == 6 + 1
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "merged.partial").glob("members/*")}
    assert merge(shards, tmp_path / "merged") == 0  # nothing is copied twice
    assert estimate(PLAN, tmp_path / "merged", 1)[0] == 2  # only the best's further seeds are left, at most
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    quiet(tmp_path / "merged")
    quiet(tmp_path / "whole")
    merged, whole = open_bank(tmp_path / "merged"), open_bank(tmp_path / "whole")
    assert merged.members.architectures == whole.members.architectures
    np.testing.assert_array_equal(merged.val.units, whole.val.units)
    np.testing.assert_array_equal(merged.test.units, whole.test.units)


def test_a_shard_that_is_done_does_nothing_again(shards):
    stamps = {path: path.stat().st_mtime_ns for path in shards[0].glob("members/*")}
    quiet(shards[0].with_name("bank"), (1, 2))
    assert {path: path.stat().st_mtime_ns for path in shards[0].glob("members/*")} == stamps


def altered(shard, folder, **changes):
    folder.mkdir()
    plan = json.loads((shard / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_digest": "0" * 64}, "shards of different builds: data_digest is 0000"),
        ({"recipe": {"epochs": 9}}, "shards of different builds: recipe is {'epochs': 9}"),
        ({"classes": 5}, "shards of different builds: classes is 5 and 4"),
    ],
)
def test_shards_of_different_builds_are_not_merged(shards, tmp_path, changes, message):
    with pytest.raises(NessBenchError, match=message):
        merge([shards[0], altered(shards[1], tmp_path / "other.partial", **changes)], tmp_path / "merged")
    assert not (tmp_path / "merged.partial").exists()


def test_what_is_no_shard_is_told(shards, tmp_path):
    with pytest.raises(NessBenchError, match=r"is no shard of a build: plan.json cannot be read"):
        merge([tmp_path], tmp_path / "merged")
    (tmp_path / "plan.json").write_text("[1]")
    with pytest.raises(NessBenchError, match="describes no plan"):
        merge([shards[0], tmp_path], tmp_path / "merged")
    with pytest.raises(NessBenchError, match="exists already"):
        merge(shards, tmp_path)


def test_a_merge_killed_midway_goes_on_and_is_no_other_build(shards, tmp_path, monkeypatch):
    from ness_bench.banks import merge as module

    copy, calls = module._copy, []

    def killed(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        copy(source, target)

    monkeypatch.setattr(module, "_copy", killed)
    with pytest.raises(KeyboardInterrupt):
        merge(shards, tmp_path / "merged")
    with pytest.raises(NessBenchError, match="what another build left"):
        quiet(tmp_path / "merged", plan=replace(PLAN, classes=3))
    assert merge(shards, tmp_path / "merged") == 7 - 1


def test_members_of_an_unknown_build_are_not_taken_over(shards, tmp_path):
    members = tmp_path / "bank.partial" / "members"
    members.mkdir(parents=True)
    (members / "000000-0.npz").write_bytes(b"")
    with pytest.raises(NessBenchError, match="what another build left"):
        quiet(tmp_path / "bank")


def test_a_disk_that_is_full_loses_nothing_that_was_done(tmp_path, monkeypatch):
    """The third file cannot be flushed: the build ends with the system's words, and goes on when there is room."""
    import os

    flush, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        quiet(tmp_path / "bank")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "bank.partial").glob("*/[0-9u]*")}
    assert len(kept) == 2  # the first call wrote the plan
    monkeypatch.undo()
    quiet(tmp_path / "bank", (1, 1))
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "bank.partial").glob("*/*")}.items()
    quiet(tmp_path / "bank")
    open_bank(tmp_path / "bank")
