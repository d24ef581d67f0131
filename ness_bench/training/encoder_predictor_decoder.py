"""The networks with which SemiNAS proposes architectures (Luo et al., NeurIPS 2020), and before it NAO (2018).

An encoder maps an architecture, a sequence of operations, to a sequence of points on the unit sphere. A predictor
maps their mean to a score. A decoder maps them back to the architecture. Moved along the predictor's gradient, the
points decode to an architecture that should score more.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.sampling.posterior import Architectures, Floats
from ness_bench.spaces.nas_bench_201 import OPERATIONS
from ness_bench.training.tensors import one_thread

State = tuple[Tensor, Tensor]
"""Of an LSTM."""


class EncoderPredictorDecoder(nn.Module):
    """The three networks. SemiNAS's dropout is left out, and its encoder reads in one direction only (ours).

    Args:
        hidden: width of the embeddings and of both LSTMs, of one layer each (64 in the paper).
        predictor_hidden: width of the predictor's bottleneck (16 in the paper).
        rng: draws the parameters, uniform within ±1 / sqrt(hidden), PyTorch's own range for LSTMs.
    """

    def __init__(self, hidden: int, predictor_hidden: int, rng: np.random.Generator) -> None:
        super().__init__()
        with torch.device("meta"):  # allocate nothing and leave PyTorch's global generator alone
            self.operations = nn.Embedding(len(OPERATIONS), hidden)
            self.encoder = nn.LSTM(hidden, hidden, batch_first=True)
            self.predictor = nn.Sequential(
                nn.Linear(hidden, predictor_hidden), nn.ReLU(), nn.Linear(predictor_hidden, hidden), nn.ReLU()
            )
            self.regressor = nn.Linear(hidden, 1)
            self.decoder = nn.LSTM(hidden, hidden, batch_first=True)
            self.query = nn.Linear(hidden, hidden, bias=False)
            self.attention = nn.Linear(2 * hidden, hidden, bias=False)
            self.output = nn.Linear(hidden, len(OPERATIONS))
        self.to_empty(device="cpu")
        with torch.no_grad():
            for parameter in self.parameters():
                drawn = rng.uniform(-1, 1, parameter.shape) / hidden**0.5
                parameter.copy_(torch.from_numpy(drawn))

    def encode(self, architectures: Tensor) -> Tensor:
        """Points on the unit sphere [architectures, edges, hidden], of operation indices [architectures, edges]."""
        embedded = self.operations(architectures)
        return F.normalize(embedded + self.encoder(embedded)[0], dim=-1)

    def score(self, points: Tensor) -> Tensor:
        """Predicted scores, [architectures]."""
        mean = _mean(points)
        scores: Tensor = self.regressor(mean + self.predictor(mean)).squeeze(-1)
        return scores

    def _read_out(self, points: Tensor, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Some steps of the decoder: its LSTM, attention to the points, logits of the operations.

        Args:
            points: [architectures, edges, hidden].
            inputs: embeddings of the operations before each step's, [architectures, steps, hidden].
            state: of the LSTM.
        """
        outputs, state = self.decoder(inputs, state)
        outputs = inputs + outputs
        weights = torch.softmax(self.query(outputs) @ points.mT, -1)
        outputs = outputs + torch.tanh(self.attention(torch.cat([weights @ points, outputs], -1)))
        return self.output(outputs), state

    def reconstruct(self, points: Tensor, architectures: Tensor) -> Tensor:
        """Logits of every operation [architectures, edges, operations], given those before it."""
        embedded = self.operations(architectures)
        inputs = torch.cat([torch.zeros_like(embedded[:, :1]), embedded[:, :-1]], 1)
        return self._read_out(points, inputs, self._start(points))[0]

    def decode(self, points: Tensor) -> Tensor:
        """Architectures [architectures, edges], the likeliest operation after operation."""
        state, inputs, decoded = self._start(points), torch.zeros_like(points[:, :1]), []
        for _ in range(points.shape[1]):
            logits, state = self._read_out(points, inputs, state)
            decoded.append(logits.argmax(-1))
            inputs = self.operations(decoded[-1])
        return torch.cat(decoded, 1)

    def _start(self, points: Tensor) -> State:
        mean = _mean(points)[None]
        return mean, mean


def _mean(points: Tensor) -> Tensor:
    """Back on the unit sphere, [architectures, hidden]."""
    return F.normalize(points.mean(1), dim=-1)


def _tensor(architectures: Architectures) -> Tensor:
    return torch.from_numpy(architectures.astype(np.int64))


def fit(
    network: EncoderPredictorDecoder,
    architectures: Architectures,
    scores: Floats,
    batches: Iterable[npt.NDArray[np.int64]],
    *,
    trade_off: float,
    learning_rate: float,
    weight_decay: float,
    gradient_clip: float,
) -> None:
    """Train the network in place, by a step of Adam a batch.

    Args:
        architectures: int8 [architectures, edges].
        scores: [architectures].
        batches: rows of both.
        trade_off: weight of the squared error of the score; the rest is that of the reconstruction's NLL.
        learning_rate: of Adam.
        weight_decay: L2 coefficient.
        gradient_clip: on the norm of the gradient.
    """
    inputs, targets = _tensor(architectures), torch.from_numpy(scores.astype(np.float32))
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, weight_decay=weight_decay, fused=True)
    with one_thread():
        for batch in map(torch.from_numpy, batches):
            points = network.encode(inputs[batch])
            error = F.mse_loss(network.score(points), targets[batch])
            logits = network.reconstruct(points, inputs[batch])
            nll = F.cross_entropy(logits.flatten(0, 1), inputs[batch].flatten())
            optimizer.zero_grad()
            (trade_off * error + (1 - trade_off) * nll).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), gradient_clip, foreach=True)
            optimizer.step()


def predict(network: EncoderPredictorDecoder, architectures: Architectures) -> Floats:
    """Predicted scores of int8 [architectures, edges], [architectures]."""
    with one_thread(), torch.no_grad():
        return network.score(network.encode(_tensor(architectures))).double().numpy()


def improve(network: EncoderPredictorDecoder, architectures: Architectures, step: float) -> Architectures:
    """What architectures decode to once their points have moved by `step` times the gradient of their score.

    Args:
        architectures: int8 [architectures, edges].

    Returns:
        The same shape; with a step of 0, what the decoder makes of the points as they are.
    """
    with one_thread():
        points = network.encode(_tensor(architectures)).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(network.score(points).sum(), points)
        with torch.no_grad():
            return network.decode(F.normalize(points + step * gradient, dim=-1)).numpy().astype(np.int8)
