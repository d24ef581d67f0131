"""One run: a method searches a task, the harness scores the ensemble, a record comes out.

A run is named by its content: the same method, constants, bank, size, budget and repetition give the same
id, and on the same versions the same record, byte for byte. Methods of one repetition start from the same
random state, so that they are compared on the same draws.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ness_bench import __version__
from ness_bench.banks.bank import Bank, MemberTable
from ness_bench.banks.named import open_named
from ness_bench.ensembles.metrics import EnsembleMetrics, evaluate
from ness_bench.ensembles.quantised import QuantisedPredictions
from ness_bench.errors import NessBenchError
from ness_bench.methods import method
from ness_bench.spaces.nas_bench_201 import to_string
from ness_bench.tasks.bank import BankTask
from ness_bench.tasks.task import Ensemble


@dataclass(frozen=True)
class RunSpec:
    """What, with the version of ness_bench, determines a run.

    Attributes:
        method: a registered name.
        label: what the reports call it.
        constants: all of the method's constants.
        bank: name or folder of the bank.
        bank_digest: of its content.
        size: ensemble members asked for.
        budget: in TE.
        repetition: the seed of everything random.
    """

    method: str
    label: str
    bank: str
    bank_digest: str
    size: int
    budget: float
    repetition: int
    constants: Mapping[str, Any]

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the specification, where the bank lies left out."""
        content = {name: value for name, value in asdict(self).items() if name not in ("bank", "label")}
        canonical = json.dumps({"version": __version__, **content}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


_open_once = lru_cache(maxsize=4)(open_named)


def score(members: MemberTable, predictions: QuantisedPredictions, ensemble: Ensemble) -> EnsembleMetrics:
    """The metrics of an ensemble on one split of a bank."""
    rows = [members.row(member.architecture, member.seed) for member in ensemble.members]
    return evaluate(predictions.probabilities(rows), predictions.labels, np.array(ensemble.weights))


def search(spec: RunSpec, bank: Bank) -> dict[str, Any]:
    """Run a search and score what it found on both splits; the record's result.

    Raises:
        NessBenchError: an unknown method or constant, a budget that is too small, …
    """
    task = BankTask.of(bank, spec.size, spec.budget, spec.repetition)
    searcher = method.create(spec.method, spec.constants)
    ensemble = searcher.search(task, np.random.default_rng(spec.repetition))
    if len(ensemble.members) > spec.size or not all(map(task.sold, ensemble.members)):
        raise NessBenchError(
            f'method "{spec.method}" returned {len(ensemble.members)} members for an ensemble of {spec.size}; '
            "a method returns at most as many as asked for, each of them trained by its task"
        )
    return {
        "members": [{"architecture": to_string(m.architecture), "seed": m.seed} for m in ensemble.members],
        "weights": list(ensemble.weights),
        "val": asdict(score(bank.members, bank.val, ensemble)),
        "test": asdict(score(bank.members, bank.test, ensemble)),
        "cost": task.budget.spent,
    }


def execute(spec: RunSpec) -> dict[str, Any]:
    """Run and record; a run that cannot be done is recorded with its error."""
    record: dict[str, Any] = {"id": spec.id, "spec": asdict(spec)}
    try:
        record["result"] = search(spec, _open_once(spec.bank))
    except NessBenchError as error:
        record["error"] = str(error)
    return record
