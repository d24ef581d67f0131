"""What every prediction bank owes."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from ness_bench.banks.bank import Bank
from ness_bench.banks.named import open_named
from ness_bench.banks.verify import verify
from ness_bench.ensembles import metrics
from ness_bench.ensembles.oracle import Optimum
from ness_bench.ensembles.quantised import MOST_MEMBERS, QuantisedPredictions
from ness_bench.ensembles.scoring import score
from ness_bench.methods.method import create
from ness_bench.tasks.bank import BankTask

BUDGET = 1000.0
"""TE; a search is a lookup, and this pays for the supernets of most banks."""

DRAWN = 200
"""Random ensembles of each size."""

_open = cache(open_named)


class BankContract:
    """What every bank owes that methods search on and plans name.

        class TestMyBank(BankContract):
            bank = "my-bank"

    Attributes:
        bank: the name of a shipped one, or the folder of one.
        methods: that are run on it.
    """

    bank: ClassVar[str | Path]
    methods: ClassVar[tuple[str, ...]] = ("random-ensemble", "nes-rs", "random-search")

    def test_is_what_was_written(self) -> None:
        """Digests of all files, and predictions that sum to 1 exactly."""
        assert len(list(verify(_open(str(self.bank)).folder, retrain=0, seed=0))) >= 3

    def test_labels_are_classes_of_the_images(self) -> None:
        bank = self._opened()
        assert len(bank.manifest.class_names) == bank.skeleton.classes
        for split, predictions in self._splits():
            labels = predictions.labels
            assert predictions.units.shape == (len(bank.members), bank.skeleton.classes, len(labels)), split
            assert len(labels) > 0
            assert labels.min() >= 0, split
            assert labels.max() < bank.skeleton.classes, split

    def test_members_are_canonical_networks_and_their_seeds_count_from_0(self) -> None:
        bank = self._opened()
        members, space = bank.members, bank.space
        for row, (architecture, seed) in enumerate(zip(members.architectures, members.seeds.tolist(), strict=True)):
            assert space.canonical(architecture) == architecture, f"member {row} is not named by its class"
            assert members.row(architecture, seed) == row, f"member {row} is there twice"
            assert seed < members.seeds_of(architecture), f"a seed below {seed} of member {row} is missing"
        assert not set(space.classes) ^ set(members.architectures), "the space is other than what is trained"
        assert set(bank.repeated.classes) <= set(space.classes)

    def test_scores_on_the_whole_test_split_are_those_of_the_same_members(self) -> None:
        """Who does well on the part of it whose predictions are kept does well on the whole."""
        bank = self._opened()
        assert bank.members.curves.shape == (len(bank.members), bank.recipe.epochs)
        assert bank.test_scores.accuracy.shape == bank.test_scores.nll.shape == (len(bank.members),)
        for shares in (bank.members.curves, bank.test_scores.accuracy):
            assert ((shares >= 0) & (shares <= 1)).all()
        kept = score(bank.test, np.arange(len(bank.members))[:, None]).nll
        correlation = np.corrcoef(kept, bank.test_scores.nll)[0, 1]
        assert correlation > 0.3, f"NLLs correlate by {correlation:.2f}; are the rows in another order?"

    def test_bulk_scores_are_those_of_the_metrics(self) -> None:
        for split, predictions in self._splits():
            for ensembles in self._drawn(predictions):
                scores = score(predictions, ensembles[:5])
                for place, rows in enumerate(ensembles[:5]):
                    expected = metrics.evaluate(predictions.probabilities(rows), predictions.labels)
                    assert scores.accuracy[place] == pytest.approx(expected.accuracy, abs=1e-12), split
                    assert scores.nll[place] == pytest.approx(expected.nll, abs=1e-6), split
                    assert scores.brier[place] == pytest.approx(expected.brier, abs=1e-9), split
                    assert scores.ece[place] == pytest.approx(expected.ece, abs=1e-9), split

    def test_stored_optima_score_what_they_say(self) -> None:
        splits = dict(self._splits())
        for (split, metric, size), optimum in self._opened().optima.items():
            assert len(set(optimum.rows)) == size, "a member stands twice"
            predictions = splits[split]
            found = getattr(metrics.evaluate(predictions.probabilities(optimum.rows), predictions.labels), metric)
            assert optimum.value == pytest.approx(found, abs=1e-12), f"{split}, {metric}, size {size}"
            assert not _better(metric, optimum.value, than=optimum.bound), f"{split}, {metric}, size {size}: the bound"

    def test_no_ensemble_beats_the_bound_of_an_optimum(self) -> None:
        """Neither random ones, nor those that differ from it in one member; the bound of a proved one is its value."""
        splits = dict(self._splits())
        for (split, metric, size), optimum in self._opened().optima.items():
            predictions = splits[split]
            assert not optimum.proven or optimum.bound == optimum.value
            others = np.concatenate([_random(predictions, size), _one_swap_away(predictions, optimum)])
            found = getattr(score(predictions, others), metric)
            best = float(found.max() if metric == "accuracy" else found.min())
            assert not _better(metric, best, than=optimum.bound, by=1e-6), (
                f"{split}, {metric}, size {size}: {best} beats {optimum.bound}"
            )

    def test_supernets_rank_the_space(self) -> None:
        """What is looked up of a supernet is there, and its weights give probabilities."""
        bank = self._opened()
        for stored in bank.supernets:
            task = BankTask.of(bank, 1, 100 * BUDGET, stored.seed)
            supernet = task.supernet(stored.kind, stored.epochs)
            likelihoods = supernet.log_likelihoods(bank.space.array, np.arange(supernet.batches))
            assert np.isfinite(likelihoods).all(), stored.name
            assert (likelihoods <= 0).all(), stored.name
            predicted = supernet.predict(bank.space.array[:2])
            assert predicted.shape == (2, len(bank.val.labels), bank.skeleton.classes)
            assert predicted.min() >= 0
            np.testing.assert_allclose(predicted.sum(-1), 1, rtol=1e-4)

    def test_methods_search_on_it(self) -> None:
        bank = self._opened()
        kinds = dict.fromkeys(supernet.kind for supernet in bank.supernets)
        searchers = [create(name) for name in self.methods]
        searchers += [create("ness-mc", {"supernet_kind": kind, "epochs": 1}) for kind in kinds]
        size = min(3, len(bank.space.classes))
        for searcher in searchers:
            task = BankTask.of(bank, size, BUDGET)
            ensemble = searcher.search(task, np.random.default_rng(0))
            assert 1 <= len(ensemble.members) <= size
            assert all(map(task.sold, ensemble.members))

    def _opened(self) -> Bank:
        return _open(str(self.bank))

    def _splits(self) -> list[tuple[str, QuantisedPredictions]]:
        bank = self._opened()
        return [("val", bank.val), ("test", bank.test)]

    def _drawn(self, predictions: QuantisedPredictions) -> Iterator[npt.NDArray[np.int64]]:
        return (_random(predictions, size) for size in (1, 2, 5, MOST_MEMBERS) if size <= len(predictions))


def _random(predictions: QuantisedPredictions, size: int) -> npt.NDArray[np.int64]:
    """Ensembles [DRAWN, size] of different members."""
    rng = np.random.default_rng(size)
    return np.array([rng.choice(len(predictions), size, replace=False) for _ in range(DRAWN)])


def _one_swap_away(predictions: QuantisedPredictions, optimum: Optimum) -> npt.NDArray[np.int64]:
    """Ensembles [DRAWN, size] that differ from the best in one member."""
    rng, size = np.random.default_rng(0), len(optimum.rows)
    others = np.setdiff1d(np.arange(len(predictions)), optimum.rows)
    swapped = np.tile(optimum.rows, (DRAWN, 1))
    if len(others):
        swapped[np.arange(DRAWN), rng.integers(size, size=DRAWN)] = rng.choice(others, DRAWN)
    return swapped


def _better(metric: str, value: float, than: float, by: float = 1e-12) -> bool:
    return value > than + by if metric == "accuracy" else value < than - by
