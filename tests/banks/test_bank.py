import json
import shutil

import numpy as np
import pytest

from ness_bench.banks import codec, summary
from ness_bench.banks.bank import open_bank
from ness_bench.banks.build import build, description
from ness_bench.banks.inherited_scores import BATCH
from ness_bench.banks.jobs import load_data
from ness_bench.banks.plan import drawn_classes
from ness_bench.banks.summary import architecture_spread, random_seeds, seed_rank, seed_spread, summarise
from ness_bench.banks.unpack import cached
from ness_bench.banks.verify import verify
from ness_bench.ensembles.metrics import accuracy
from ness_bench.ensembles.quantised import TOTAL
from ness_bench.errors import NessBenchError
from ness_bench.files import digest
from ness_bench.spaces.nas_bench_201 import RESNET, canonical
from ness_bench.testing.small_bank import small_plan
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
        expected = codec.units(codec.encode(fitted.test[:300])) / TOTAL
        np.testing.assert_array_equal(bank.test.probabilities([row])[0], expected)
        np.testing.assert_array_equal(bank.members.curves[row], fitted.curve)
        assert np.abs(expected - fitted.test[:300]).max() < 0.1
        assert bank.test_scores.accuracy[row] == accuracy(fitted.test, data.test.labels)
    np.testing.assert_array_equal(bank.test.labels, data.test.labels[:300])


def test_the_members_are_those_of_the_rule(bank):
    plan = small_plan()
    first = {a for a, seed in zip(bank.members.architectures, bank.members.seeds, strict=True) if seed == 0}
    derived = {
        canonical(tuple(s.alphas[-1].argmax(-1).tolist())) for s in bank.supernets if s.alphas is not None
    }  # fmt: skip
    derived.add(canonical(RESNET))
    assert first == derived | set(drawn_classes(plan))
    repeated = {a for a in first if bank.members.seeds_of(a) == 5}
    assert {a for a in first if bank.members.seeds_of(a) > 1} == repeated
    val_nll = {}
    for a in first:
        p = bank.val.probabilities([bank.members.row(a, 0)])[0]
        val_nll[a] = -np.log(p[np.arange(len(p)), bank.val.labels]).mean()
    by_lot = derived | set(drawn_classes(plan)[: plan.random_repeated])
    assert by_lot <= repeated
    assert len(repeated) <= len(by_lot) + plan.best_repeated
    last = sorted(val_nll.values())[plan.best_repeated - 1]  # chosen by the float NLL, which codes change a little
    assert all(val_nll[a] < last + 0.03 for a in repeated - by_lot)
    assert all(a in repeated for a in val_nll if val_nll[a] < last - 0.03)


def test_a_longer_order_begins_with_the_shorter(bank):
    assert drawn_classes(small_plan(classes=50))[:20] == drawn_classes(small_plan())


def test_stored_inherited_predictions_are_those_of_the_weights(bank):
    from ness_bench.training.one_shot import inherited, weights

    data = load_data(small_plan())
    stored = next(s for s in bank.supernets if s.name == "uniform-2-seed1")
    supernet, _ = weights.load(bank.folder / "supernets" / "uniform-2-seed1.safetensors", bank.skeleton)
    architecture = bank.space.architectures[7]
    images = data.normalise(data.val.pixels)
    parts = [inherited.probabilities(supernet, architecture, images[first : first + BATCH]) for first in (0, 100, 200)]
    found = np.concatenate(parts)
    asked = np.array([architecture], np.int8)
    np.testing.assert_allclose(stored.predict(asked)[0], found, atol=1e-4)
    expected = np.log(found[np.arange(len(data.val)), data.val.labels])
    np.testing.assert_allclose(stored.nll[stored.rows(asked)], -expected.mean(), atol=1e-4)
    for batch in (0, 2):
        of_batch = expected[batch * BATCH : (batch + 1) * BATCH].sum()
        np.testing.assert_allclose(stored.log_likelihoods(asked, np.array([batch])), of_batch, rtol=1e-3)


def test_verify_accepts_what_was_built(bank):
    lines = list(verify(bank.folder, retrain=2, seed=0))
    assert sum(line.startswith("retrained") and line.endswith("identical") for line in lines) == 2


def test_summary_numbers(bank):
    lines = dict(summarise(bank))
    assert lines["coverage"].startswith(f"{len(set(bank.members.architectures))} of 5,044 functional classes")
    by_hand = []
    for architecture in drawn_classes(small_plan())[: small_plan().random_repeated]:
        rows = [bank.members.row(architecture, seed) for seed in range(5)]
        by_hand.append(bank.test_scores.accuracy[rows])
    assert sorted(map(tuple, random_seeds(bank))) == sorted(map(tuple, by_hand))
    assert seed_spread(bank) == pytest.approx(np.sqrt(np.mean(np.var(by_hand, axis=1, ddof=1))), abs=1e-12)
    assert -1 <= seed_rank(bank) <= 1


def test_spreads_are_told_apart(bank, monkeypatch):
    """Accuracies made of an architecture's part and a seed's."""
    rng = np.random.default_rng(0)
    made = 0.8 + 0.03 * rng.normal(size=(20_000, 1)) + 0.01 * rng.normal(size=(20_000, 5))
    monkeypatch.setattr(summary, "random_seeds", lambda bank: made)
    assert seed_spread(bank) == pytest.approx(0.01, rel=0.02)
    assert architecture_spread(bank) == pytest.approx(0.03, rel=0.02)
    assert seed_rank(bank) == pytest.approx(6 / np.pi * np.arcsin(0.9 / 2), abs=0.01)  # of correlation .9


def test_damage_is_found_and_named(copy):
    for name in ("val/000.xz", "members.parquet", "test_labels.npy", "supernets/darts-1-seed0.npz"):
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
        {"train_examples": 0}, {"name": None}, {"codec": {"name": "sqrt", "levels": 255}}, {"plan": {}},
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


def test_verify_finds_a_cache_that_differs(bank):
    units = cached(bank.digest) / "val.npy"
    content = units.read_bytes()
    try:
        units.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(NessBenchError, match=r"cached copy of bank .* differs from its val/000.xz; remove"):
            list(verify(bank.folder, retrain=0, seed=0))
        units.write_bytes(content[:-8])
        with pytest.raises(NessBenchError, match=r"is damaged .* remove the folder"):
            open_bank(bank.folder)
    finally:
        units.write_bytes(content)
    list(verify(bank.folder, retrain=0, seed=0))


def test_verify_finds_predictions_that_no_training_gives(copy):
    """Every member is made to know the test labels, digests made right: only training again can tell."""
    labels = np.load(copy / "test_labels.npy")
    members = len(open_bank(copy).members)
    codes = np.broadcast_to(codec.LEVELS * np.eye(10, dtype=np.uint8)[labels], (members, len(labels), 10))
    (copy / "test" / "000.xz").write_bytes(codec.compress(codes, labels))
    make_digest_right(copy, "test/000.xz")
    np.savez(copy / "test_scores.npz", accuracy=np.ones(members), nll=np.zeros(members))
    make_digest_right(copy, "test_scores.npz")
    with pytest.raises(NessBenchError, match=r"has test accuracy 1\.0000, trained again 0\."):
        list(verify(copy, retrain=1, seed=0))


def test_a_bank_on_other_data_is_not_trained_again(copy):
    manifest = json.loads((copy / "bank.json").read_text())
    (copy / "bank.json").write_text(json.dumps(manifest | {"data_digest": "0" * 64}))
    with pytest.raises(NessBenchError, match="holds other images or labels"):
        list(verify(copy, retrain=1, seed=0))


def test_a_member_that_is_not_there_is_explained(bank):
    architecture = bank.members.architectures[0]
    with pytest.raises(NessBenchError, match="with seed 9; it holds seeds 0 to"):
        bank.members.row(architecture, 9)
    outside = next(a for a in drawn_classes(small_plan(classes=60)) if a not in set(bank.members.architectures))
    with pytest.raises(NessBenchError, match="does not cover this architecture"):
        bank.members.row(outside, 0)


TINY = small_plan(classes=2, best_repeated=0, random_repeated=0, extra_seeds=0, uniform_epochs=(), darts_epochs=0)


def quiet(plan, folder, shard=None):
    build(plan, folder, 1, lambda stage, total, done: None, lambda stage: None, shard)


def test_another_build_is_not_overwritten(bank, tmp_path):
    with pytest.raises(NessBenchError, match="exists already"):
        quiet(TINY, bank.folder)
    (tmp_path / "new.partial").mkdir()
    (tmp_path / "new.partial" / "plan.json").write_text("{}")
    with pytest.raises(NessBenchError, match="holds what another build left"):
        quiet(TINY, tmp_path / "new")
    assert (tmp_path / "new.partial" / "plan.json").read_text() == "{}"


def test_a_build_killed_while_tidying_up_is_finished(bank, tmp_path):
    quiet(TINY, tmp_path / "bank")
    before = (tmp_path / "bank" / "bank.json").read_bytes()
    (tmp_path / "bank.partial").mkdir()
    (tmp_path / "bank.partial" / "plan.json").write_bytes(description(TINY, load_data(TINY)))
    quiet(TINY, tmp_path / "bank")
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]
    assert (tmp_path / "bank" / "bank.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 0}, "the space has 1 to 5044"),
        ({"classes": 6000}, "the space has 1 to 5044"),
        ({"best_repeated": 21}, "further seeds of 21 classes"),
        ({"data": "mnist"}, 'unknown data set "mnist"'),
        ({"train_examples": 10_001}, "10001 train examples were asked for; fashion has 1 to 10000"),
        ({"test_examples": 0}, "0 test examples"),
        ({"val_examples": 2_001}, "2001 val examples were asked for; fashion has 1 to 2000"),
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
