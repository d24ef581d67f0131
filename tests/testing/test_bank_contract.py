"""What breaks a promise of `BankContract` fails the tests of that promise; the small bank keeps all."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from failing import failing, promises_of

from ness_bench.ensembles import metrics
from ness_bench.ensembles.oracle import Optimum
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.ensembles.scoring import score
from ness_bench.testing import BankContract, bank_contract

LABELS, MEMBERS = "labels_are_classes_of_the_images", "members_are_canonical_networks_and_their_seeds_count_from_0"
ROWS, BULK = "scores_on_the_whole_test_split_are_those_of_the_same_members", "bulk_scores_are_those_of_the_metrics"
OPTIMA, BEATEN = "stored_optima_score_what_they_say", "no_ensemble_beats_the_bound_of_an_optimum"
SUPERNETS, SEARCH = "supernets_rank_the_space", "methods_search_on_it"


def changed(bank, **lazy):
    """The bank, some of what it reads when asked replaced."""
    copy = replace(bank)
    vars(copy).update(lazy)
    return copy


def an_eleventh_class(bank):
    labels = bank.test.labels.copy()
    labels[7] = 10
    return replace(bank, test=QuantisedPredictions(bank.test.units, labels))


def seeds_that_start_at_1(bank):
    return replace(bank, members=replace(bank.members, seeds=bank.members.seeds + 1))


def scores_in_reverse(bank):
    of = bank.test_scores
    return replace(bank, test_scores=replace(of, accuracy=of.accuracy[::-1], nll=of.nll[::-1]))


def a_flattering_optimum(bank):
    """That says more than its ensemble scores."""
    best = bank.optima["test", "brier", 3]
    better = replace(best, value=best.value - 0.01, bound=best.value - 0.01)
    return changed(bank, optima=bank.optima | {("test", "brier", 3): better})


def an_optimum_that_is_none(bank):
    """Some ensemble, and a proof that there is no better one."""
    rows = (0, 1, 2)
    value = metrics.evaluate(bank.test.probabilities(rows), bank.test.labels).brier
    some = Optimum("brier", rows, value, bound=value, proven=True)
    return changed(bank, optima=bank.optima | {("test", "brier", 3): some})


def a_supernet_that_diverged(bank):
    first, *others = bank.supernets
    likelihoods = np.full_like(first.batch_log_likelihoods, np.nan)
    return changed(bank, supernets=(replace(first, batch_log_likelihoods=likelihoods), *others))


BROKEN = [
    (lambda bank: bank, set()),
    (an_eleventh_class, {LABELS, OPTIMA, BULK}),
    (seeds_that_start_at_1, {MEMBERS, SEARCH}),
    (scores_in_reverse, {ROWS}),
    (a_flattering_optimum, {OPTIMA}),
    (an_optimum_that_is_none, {BEATEN}),
    (a_supernet_that_diverged, {SUPERNETS, SEARCH}),
]


@pytest.mark.parametrize(("broken", "expected"), BROKEN)
def test_a_bank_fails_the_tests_of_what_it_breaks(bank, broken, expected):
    opened = broken(bank)
    assert failing(BankContract, bank=bank.folder, _opened=lambda self: opened) == expected


def test_scores_that_are_not_those_of_the_metrics_are_noticed(bank, monkeypatch):
    def rounded(predictions, ensembles):
        scores = score(predictions, ensembles)
        return replace(scores, ece=np.round(scores.ece, 3))

    monkeypatch.setattr(bank_contract, "score", rounded)
    assert failing(BankContract, bank=bank.folder) == {BULK}


def test_a_method_that_finds_nothing_is_noticed(bank):
    assert failing(BankContract, bank=bank.folder, methods=("nes-rs", "nes-sr")) == {SEARCH}


def test_a_bank_that_is_not_what_was_written_fails_all(bank, tmp_path):
    copy = shutil.copytree(bank.folder, tmp_path / "copy")
    with (copy / "val_labels.npy").open("r+b") as file:
        file.seek(-8, 2)
        file.write(b"\1")
    assert failing(BankContract, bank=copy) == promises_of(BankContract)


def test_every_test_of_a_bank_can_fail():
    whole = {"is_what_was_written"}
    assert set.union(whole, *(expected for _, expected in BROKEN)) == promises_of(BankContract)
