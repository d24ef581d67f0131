"""Detection scores against scikit-learn and by hand."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score, roc_curve

from ness_bench.ensembles.detection import auroc, confidence, fpr95, negative_entropy
from ness_bench.errors import NessBenchError


@pytest.mark.parametrize("digits", [1, 8])  # few digits: many ties
def test_scores_are_those_of_scikit_learn(digits):
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(1, 1, 400).round(digits), rng.normal(0, 1.5, 300).round(digits)
    labels, scores = np.r_[np.ones(400), np.zeros(300)], np.r_[inside, outside]
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert fpr95(inside, outside) == pytest.approx(false[true >= 0.95].min(), abs=1e-12)


def test_told_apart_always_never_and_not_at_all():
    assert (auroc([3, 4], [1, 2]), fpr95([3, 4], [1, 2])) == (1, 0)
    assert (auroc([1, 2], [3, 4]), fpr95([1, 2], [3, 4])) == (0, 1)
    assert (auroc([1, 1], [1, 1]), fpr95([1, 1], [1, 1])) == (0.5, 1)
    assert fpr95(range(1, 21), [1.5, 2.5, 0, 0]) == 0.25  # of 20, 19 are kept: the threshold is 2


def test_an_ensemble_is_surest_where_one_class_has_all():
    predictions = np.random.default_rng(1).dirichlet(np.ones(6), size=(3, 50))
    assert negative_entropy(predictions) == pytest.approx(-entropy(predictions, axis=-1))
    certain, torn = np.eye(6)[:1], np.full((1, 6), 1 / 6)
    assert confidence(certain) == 1 > confidence(torn)
    assert negative_entropy(certain) == 0 > negative_entropy(torn)


@pytest.mark.parametrize("given", [[], [[1.0]], [np.nan]])
def test_what_is_no_score_is_refused(given):
    for measure in (auroc, fpr95):
        with pytest.raises(NessBenchError, match="must be finite, one an image"):
            measure(given, [1.0])
