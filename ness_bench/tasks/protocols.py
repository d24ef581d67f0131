"""The published protocols of searching in a table: what a trial shows, what is reported, what may be spent."""

from collections.abc import Mapping
from dataclasses import dataclass

from ness_bench.errors import NessBenchError, nearest


@dataclass(frozen=True)
class SearchProtocol:
    """A protocol.

    Attributes:
        seconds: simulated, that a search on a data set may spend.
        signal_epochs: of the trainings whose validation accuracy guides the search.
        report_epochs: of those whose test accuracy is reported.
        source: where it is from.
    """

    seconds: Mapping[str, float]
    source: str
    signal_epochs: int = 12
    report_epochs: int = 200


PROTOCOLS = {
    "nas-bench-201": SearchProtocol({"cifar10": 12_000}, "Dong & Yang, ICLR 2020"),
    "nats-bench": SearchProtocol(
        {"cifar10": 20_000, "cifar100": 40_000, "imagenet16-120": 120_000}, "Dong et al., TPAMI 2021"
    ),
}


def protocol_named(name: str, dataset: str) -> SearchProtocol:
    """A protocol, once it is known to say what a search on the data set may spend.

    Raises:
        NessBenchError: an unknown protocol, or it says nothing of the data set.
    """
    if name not in PROTOCOLS:
        raise NessBenchError(
            f'unknown protocol "{name}"{nearest(name, list(PROTOCOLS))}; known: {", ".join(PROTOCOLS)}'
        )
    protocol = PROTOCOLS[name]
    if dataset not in protocol.seconds:
        raise NessBenchError(f'protocol "{name}" searches on {", ".join(protocol.seconds)}, but "{dataset}" was given')
    return protocol
