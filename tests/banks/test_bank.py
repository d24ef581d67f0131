import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from small_bank import small_plan

from ness_bench.banks import codec
from ness_bench.banks.bank import open_bank
from ness_bench.banks.build import build, drawn_classes, load_data
from ness_bench.banks.summary import seed_spread, summarise
from ness_bench.banks.verify import verify
from ness_bench.ensembles.metrics import accuracy
from ness_bench.errors import NessBenchError
from ness_bench.files import digest
from ness_bench.spaces.nas_bench_201 import canonical
from ness_bench.training.fit import fit


@pytest.fixture
def copy(bank, tmp_path):
    return shutil.copytree(bank.folder, tmp_path / "copy")


def test_what_was_trained_is_what_is_read(bank):
    """Two members trained by hand, against the rows of the bank."""
    data = load_data(small_plan())
    for row in (3, len(bank.members) - 1):
        architecture, seed = bank.members.architectures[row], int(bank.members.seeds[row])
        fitted = fit(architecture, data, bank.skeleton, bank.recipe, seed)
        expected = codec.decode(codec.encode(fitted.test))
        np.testing.assert_array_equal(bank.test.probabilities([row])[0], expected)
        np.testing.assert_array_equal(bank.members.curves[row], fitted.curve)
        assert np.abs(expected - fitted.test).max() < 0.02
    np.testing.assert_array_equal(bank.test.labels, data.test.labels)


def test_the_members_are_those_of_the_rule(bank):
    plan = small_plan()
    first = [a for a, seed in zip(bank.members.architectures, bank.members.seeds, strict=True) if seed == 0]
    assert first[: plan.classes] == drawn_classes(plan)
    derived = {
        canonical(tuple(s.alphas[-1].argmax(-1).tolist())) for s in bank.supernets if s.alphas is not None
    }  # fmt: skip
    assert derived <= set(first)
    repeated = {a for a in first if bank.members.seeds_of(a) == 5}
    assert {a for a in first if bank.members.seeds_of(a) > 1} == repeated
    val_nll = {}
    for a in first[: plan.classes]:
        p = bank.val.probabilities([bank.members.row(a, 0)])[0]
        val_nll[a] = -np.log(p[np.arange(len(p)), bank.val.labels]).mean()
    best = set(sorted(val_nll, key=val_nll.get)[: plan.best_repeated])
    assert repeated == best | derived | set(first[: plan.random_repeated])


def test_a_longer_order_begins_with_the_shorter(bank):
    assert drawn_classes(small_plan(classes=50))[:20] == drawn_classes(small_plan())


def test_stored_inherited_predictions_are_those_of_the_weights(bank):
    from ness_bench.training.one_shot import inherited, weights

    data = load_data(small_plan())
    stored = next(s for s in bank.supernets if s.name == "uniform-2-seed1")
    supernet, _ = weights.load(bank.folder / "supernets" / "uniform-2-seed1.safetensors", bank.skeleton)
    architecture = bank.space.architectures[7]
    found = inherited.probabilities(supernet, architecture, data.normalise(data.val.pixels))
    expected = found[np.arange(len(data.val)), data.val.labels]
    row = stored.rows(np.array([architecture], np.int8))
    np.testing.assert_allclose(stored.true_class(row)[0], expected, atol=1 / codec.LEVELS)


def test_verify_accepts_what_was_built(bank):
    lines = list(verify(bank.folder, retrain=2, seed=0))
    assert sum(line.startswith("retrained") and line.endswith("identical") for line in lines) == 2


def test_summary_numbers(bank):
    lines = dict(summarise(bank))
    assert lines["coverage"].startswith(f"{len(set(bank.members.architectures))} of 4,930 functional classes")
    groups = {}
    for row, architecture in enumerate(bank.members.architectures):
        groups.setdefault(architecture, []).append(accuracy(bank.test.probabilities([row])[0], bank.test.labels))
    variances = [np.var(values, ddof=1) for values in groups.values() if len(values) == 5]
    assert seed_spread(bank) == pytest.approx(np.sqrt(np.mean(variances)), abs=1e-9)


def test_damage_is_found_and_named(copy):
    for name in ("val.npy", "members.parquet", "test_labels.npy", "supernets/darts-1-seed0.npz"):
        path = copy / name
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        for damaged in (bytes(flipped), content[: len(content) // 2]):
            path.write_bytes(damaged)
            with pytest.raises(NessBenchError, match=rf"{name} is corrupt or truncated: its SHA-256 digest"):
                open_bank(copy)
        path.unlink()
        with pytest.raises(NessBenchError, match=f"{name} is missing"):
            open_bank(copy)
        path.write_bytes(content)
    open_bank(copy)


def test_a_damaged_description_is_refused(copy):
    manifest = json.loads((copy / "bank.json").read_text())
    (copy / "bank.json").write_text("{")
    with pytest.raises(NessBenchError, match="is corrupt, it describes no bank"):
        open_bank(copy)
    (copy / "bank.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(NessBenchError, match=r"has schema 99.*upgrade"):
        open_bank(copy)
    for damage in (
        {"schema": "1"}, {"files": []}, {"files": {}}, {"skeleton": None},
        {"recipe": manifest["recipe"] | {"epochs": "a"}},
        {"train_examples": 0}, {"name": None}, {"codec": {"name": "sqrt", "levels": 31}}, {"plan": {}},
    ):  # fmt: skip
        (copy / "bank.json").write_text(json.dumps(manifest | damage))
        with pytest.raises(NessBenchError, match="is corrupt"):
            open_bank(copy)
    (copy / "bank.json").unlink()
    with pytest.raises(NessBenchError, match="holds no bank"):
        open_bank(copy)


def make_digest_right(folder, name):
    manifest = json.loads((folder / "bank.json").read_text())
    manifest["files"][name] = digest(folder / name)
    (folder / "bank.json").write_text(json.dumps(manifest))


def test_verify_finds_probabilities_that_do_not_sum_to_one(copy):
    """Damage that was written with the right digest: the codec's bound, not the digest, must find it."""
    codes = np.load(copy / "val.npy")
    codes[4, 17] //= 2
    np.save(copy / "val.npy", codes)
    make_digest_right(copy, "val.npy")
    with pytest.raises(NessBenchError, match=r"val.npy, member 4, example 17: probabilities sum to 0\.2"):
        list(verify(copy, retrain=0, seed=0))


def test_verify_finds_predictions_that_no_training_gives(copy):
    """Every member is made to know the test labels, digests made right: only training again can tell."""
    codes, labels = np.load(copy / "test.npy"), np.load(copy / "test_labels.npy")
    codes[:] = 255 * np.eye(10, dtype=np.uint8)[labels]
    np.save(copy / "test.npy", codes)
    make_digest_right(copy, "test.npy")
    with pytest.raises(NessBenchError, match=r"has test accuracy 1\.0000, trained again 0\."):
        list(verify(copy, retrain=1, seed=0))


def test_a_member_that_is_not_there_is_explained(bank):
    architecture = bank.members.architectures[0]
    with pytest.raises(NessBenchError, match="with seed 9; it holds seeds 0 to"):
        bank.members.row(architecture, 9)
    outside = next(a for a in drawn_classes(small_plan(classes=60)) if a not in set(bank.members.architectures))
    with pytest.raises(NessBenchError, match="does not cover this architecture"):
        bank.members.row(outside, 0)


def quiet(plan, folder):
    build(plan, folder, 1, lambda stage, total, done: None, lambda stage: None)


def test_another_build_is_not_overwritten(bank, tmp_path):
    plan = small_plan(classes=2, best_repeated=0, random_repeated=0, uniform_epochs=(), darts_epochs=0)
    with pytest.raises(NessBenchError, match="exists already"):
        quiet(plan, bank.folder)
    (tmp_path / "new.partial").mkdir()
    (tmp_path / "new.partial" / "plan.json").write_text("{}")
    with pytest.raises(NessBenchError, match="holds what another build left"):
        quiet(plan, tmp_path / "new")
    assert (tmp_path / "new.partial" / "plan.json").read_text() == "{}"


def test_a_build_killed_while_tidying_up_is_finished(bank, tmp_path):
    plan = small_plan(classes=2, best_repeated=0, random_repeated=0, uniform_epochs=(), darts_epochs=0)
    quiet(plan, tmp_path / "bank")
    before = (tmp_path / "bank" / "bank.json").read_bytes()
    (tmp_path / "bank.partial").mkdir()
    (tmp_path / "bank.partial" / "plan.json").write_text(json.dumps(asdict(plan), indent=1) + "\n")
    quiet(plan, tmp_path / "bank")
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]
    assert (tmp_path / "bank" / "bank.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 0}, "the space has 1 to 4930"),
        ({"classes": 5000}, "the space has 1 to 4930"),
        ({"best_repeated": 21}, "further seeds of 21 classes"),
        ({"data": "mnist"}, 'unknown data set "mnist"'),
        ({"train_examples": 10_001}, "10001 train examples were asked for; fashion has 1 to 10000"),
        ({"test_examples": 0}, "0 test examples"),
        ({"train_examples": 100}, "a step takes up to 128"),
        ({"channels": 6}, "give a multiple of 4"),
        ({"uniform_epochs": (-3,)}, "give positive, distinct ones"),
        ({"uniform_epochs": (2, 2)}, "give positive, distinct ones"),
    ],
)
def test_impossible_plans_are_refused_before_anything_is_written(tmp_path, changes, message):
    with pytest.raises(NessBenchError, match=message):
        quiet(small_plan(**changes), tmp_path / "bank")
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_read_back_from_the_bank(bank):
    assert bank.manifest.plan == small_plan()


def test_the_limits_that_a_plan_checks_are_those_of_training():
    from ness_bench.banks import plan
    from ness_bench.training.cpu import kernels
    from ness_bench.training.one_shot.darts import DartsRecipe

    assert plan.CHANNEL_MULTIPLE == kernels.CHANNEL_MULTIPLE
    assert 2 * DartsRecipe().batch_size == plan.LARGEST_BATCH
