"""What is attacked: a network, or an ensemble that predicts the mean of its members' probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ness_bench.data.images import DataSet, LabelledImages, channel_statistics
from ness_bench.errors import NessBenchError


@dataclass(frozen=True)
class Victim:
    """An ensemble of networks on pixels in [0, 1]; one network is an ensemble of one.

    Pixels are normalised within, so that ε counts in pixel units whatever the networks were trained on.

    Attributes:
        members: networks in evaluation mode that map normalised images [n, channels, height, width] to logits
            [n, classes].
        mean, std: of the pixels in [0, 1], a number a channel; see `of` for those of a data set.
        weights: a positive number a member, together 1; None weighs all alike.

    Raises:
        NessBenchError: any of this does not hold.
    """

    members: tuple[nn.Module, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise NessBenchError("a victim has no members; give it one network or more")
        for number, member in enumerate(self.members):
            # In training mode a prediction would depend on the other images of its batch, or on dropout.
            if any(module.training for module in member.modules()):
                raise NessBenchError(f"member {number} of the victim is in training mode; call its eval() first")
        if len(self.mean) != len(self.std) or not all(map(math.isfinite, self.mean)):
            raise NessBenchError(f"mean {self.mean} and std {self.std} must be finite numbers, one each a channel")
        if not all(0 < std < math.inf for std in self.std):
            raise NessBenchError(f"std {self.std} must be above 0 in every channel")
        if self.weights is not None and (
            len(self.weights) != len(self.members)
            or not all(weight > 0 for weight in self.weights)
            or not math.isclose(sum(self.weights), 1, abs_tol=1e-6)
        ):
            raise NessBenchError(
                f"weights {self.weights} do not fit {len(self.members)} members: give each one above 0, together 1"
            )

    @classmethod
    def of(cls, members: Sequence[nn.Module], data: DataSet, weights: Sequence[float] | None = None) -> "Victim":
        """Networks that were trained on a data set, normalised as `DataSet.normalise` does."""
        mean, std = (tuple((values / 255).tolist()) for values in channel_statistics(data.train.pixels))
        return cls(tuple(members), mean, std, None if weights is None else tuple(weights))

    def member(self, number: int) -> "Victim":
        """One of the members alone: to attack it, or as a surrogate (see `transfer`)."""
        return Victim((self.members[number],), self.mean, self.std)

    def logits(self, images: Tensor) -> Tensor:
        """Log of the mean of the members' probabilities, [n, classes]; gradients flow through that mean.

        Args:
            images: [n, channels, height, width], pixels in [0, 1].

        Raises:
            NessBenchError: images have other channels than the normalisation, or a logit is not finite.
        """
        return self._mean(self._of_members(images))

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """The most probable class of each image, int64 [n]."""
        return self.logits(images).argmax(1)

    @torch.no_grad()
    def judge(self, images: Tensor, labels: Tensor) -> "Judgement":
        """How much is to be said against the labels."""
        members = self._of_members(images)
        return Judgement(self._odds(members, labels), self._mean(members).argmax(1) != labels)

    def gradient(self, images: Tensor, labels: Tensor) -> tuple[Tensor, "Judgement"]:
        """(direction in which the cross-entropy rises [n, channels, height, width], judgement at the images).

        What is differentiated are the odds against the label, z = ln((1 - p) / p). The cross-entropy is ln(1 + e^z), so
        that its gradient is a positive multiple of theirs, image by image; attacks use no more of it. In float32 that
        multiple is 0 for a network surer than e^-100, and what it stands before is rounded long before that.

        Raises:
            NessBenchError: there is no gradient, or it is not finite.
        """
        pixels = images.detach().requires_grad_()
        with torch.enable_grad():
            members = self._of_members(pixels)
            odds = self._odds(members, labels)
        if not odds.requires_grad:
            raise NessBenchError("the victim's logits cannot be differentiated; attack it by square or transfer")
        (gradient,) = torch.autograd.grad(odds.sum(), pixels)
        if not gradient.isfinite().all():
            raise NessBenchError(
                "the victim's gradient is not finite (NaN or infinite) on these images; "
                "check its weights, or attack it by square, which needs no gradients"
            )
        return gradient, Judgement(odds.detach(), self._mean(members.detach()).argmax(1) != labels)

    def _of_members(self, images: Tensor) -> Tensor:
        """Their logits, [members, n, classes]."""
        if images.ndim != 4 or images.shape[1] != len(self.mean):
            raise NessBenchError(
                f"images are {tuple(images.shape)}; the victim takes [n, {len(self.mean)}, height, width]"
            )
        mean, std = (images.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        normalised = (images - mean) / std
        logits = torch.stack([member(normalised) for member in self.members])
        if not logits.isfinite().all():
            raise NessBenchError(
                "the victim gives logits that are not finite (NaN or infinite) on these images; "
                "check its weights, and leave out members whose training diverged"
            )
        return logits

    def _log_weights(self, like: Tensor) -> Tensor:
        weights = self.weights or (1 / len(self.members),) * len(self.members)
        return like.new_tensor([math.log(weight) for weight in weights]).view(-1, 1, 1)

    def _mean(self, members: Tensor) -> Tensor:
        # A sum of exponentials and not of probabilities, which round to 0 and 1 where a network is sure.
        return (members.log_softmax(2) + self._log_weights(members)).logsumexp(0)

    def _odds(self, members: Tensor, labels: Tensor) -> Tensor:
        """ln((1 - p) / p) of the mean p of the members' probabilities of the label, [n]."""
        rows = labels.expand(len(members), -1)[..., None]
        others = members.scatter(2, rows, -torch.inf).logsumexp(2)
        odds = others - members.gather(2, rows).squeeze(2)  # of each member
        log_weights = self._log_weights(members).squeeze(2)
        against, in_favour = (F.logsigmoid(side) + log_weights for side in (odds, -odds))
        return against.logsumexp(0) - in_favour.logsumexp(0)


@dataclass(frozen=True)
class Judgement:
    """What a victim says of some images and their labels.

    Attributes:
        odds: ln((1 - p) / p), p the probability of the label, [n]; it rises with the cross-entropy.
        fooled: bool [n], whether another class than the label is predicted.
    """

    odds: Tensor
    fooled: Tensor


def to_pixels(images: LabelledImages) -> tuple[Tensor, Tensor]:
    """(images [n, channels, height, width] in [0, 1], float32; labels int64 [n]) of a split."""
    pixels = torch.from_numpy(images.pixels).permute(0, 3, 1, 2).contiguous()
    return pixels.float() / 255, torch.from_numpy(images.labels)
