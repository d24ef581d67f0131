from functools import partial

import numpy as np
import pytest
import torch

from ness_bench.spaces.space import Space
from ness_bench.training.encoder_predictor_decoder import EncoderPredictorDecoder, fit, improve, predict

ALL = Space.whole().array
WORTH = np.random.default_rng(3).normal(size=(6, 5))
SCORES = WORTH[np.arange(6), ALL].sum(1) / WORTH.std() / 6**0.5
"""Of every architecture: a sum over edges."""


train = partial(fit, trade_off=0.8, learning_rate=3e-3, weight_decay=1e-4, gradient_clip=5.0)


@pytest.fixture(scope="module")
def trained():
    """A network, and the rows that it was trained on."""
    rng = np.random.default_rng(0)
    network = EncoderPredictorDecoder(32, 16, rng)
    rows = rng.permutation(len(ALL))[:400]
    batches = [part for _ in range(60) for part in rng.permutation(400).reshape(-1, 50)]
    train(network, ALL[rows], SCORES[rows], batches)
    return network, rows


def test_the_predictor_ranks_what_it_never_saw(trained):
    network, rows = trained
    unseen = np.setdiff1d(np.arange(len(ALL)), rows)
    predicted = predict(network, ALL[unseen])
    ranks = [values.argsort().argsort() for values in (predicted, SCORES[unseen])]
    assert np.corrcoef(*ranks)[0, 1] > 0.9


def test_the_decoder_reconstructs(trained):
    network, rows = trained
    unseen = np.setdiff1d(np.arange(len(ALL)), rows)[:1000]
    assert (improve(network, ALL[unseen], 0.0) == ALL[unseen]).mean() > 0.85


def test_a_step_along_the_gradient_improves(trained):
    network, _ = trained
    some = ALL[:500]
    score = dict(zip(map(tuple, ALL.tolist()), SCORES, strict=True))
    gains = [
        np.mean([score[tuple(a)] for a in improve(network, some, step).tolist()]) - SCORES[:500].mean()
        for step in (0.0, 1.0)
    ]
    assert abs(gains[0]) < 0.1
    assert gains[1] > 0.2


def test_decoding_is_the_likeliest_reconstruction_step_by_step(trained):
    """Teacher forcing with what was decoded says the same as decoding, which feeds itself."""
    network, _ = trained
    with torch.no_grad():
        points = torch.nn.functional.normalize(
            torch.randn(200, 6, 32, generator=torch.Generator().manual_seed(0)), dim=-1
        )
        decoded = network.decode(points)
        assert torch.equal(network.reconstruct(points, decoded).argmax(-1), decoded)
    assert len(torch.unique(decoded, dim=0)) > 20


def test_reconstruction_sees_only_operations_before(trained):
    network, _ = trained
    some = torch.from_numpy(ALL[:50].astype(np.int64))
    with torch.no_grad():
        points = network.encode(some)
        changed = some.clone()
        changed[:, 3] = (changed[:, 3] + 1) % 5
        before, after = network.reconstruct(points, some), network.reconstruct(points, changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4], after[:, 4])


def test_its_seed_is_the_only_randomness():
    state = torch.get_rng_state()
    predictions = []
    for _ in range(2):
        network = EncoderPredictorDecoder(8, 4, np.random.default_rng(1))
        train(network, ALL[:9], SCORES[:9], [np.arange(9)] * 3)
        predictions.append(predict(network, ALL[:9]))
    assert np.array_equal(*predictions)
    assert torch.equal(state, torch.get_rng_state())
