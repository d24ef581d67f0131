"""What the official files of NAS-Bench-201 and NATS-Bench have in common: how they tell of an architecture.

They hold two states an architecture: of the runs of 12 epochs, and of those of 200. A state is that of the authors'
class `ArchResults`: `arch_index`, `arch_str` and, by data set and seed, `all_results`. These are in turn the states of
`ResultsCount`, whose curves are dicts such as {"x-valid@0": 31.2, "x-valid@1": 40.5}. The names here are theirs.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ness_bench.errors import NessBenchError
from ness_bench.spaces.nas_bench_201 import architectures, to_string
from ness_bench.tables.folder import write_table
from ness_bench.tables.pickles import load_in_parts
from ness_bench.tables.trials import Trial, assemble

EPOCHS = {"12": 12, "200": 200, "less": 12, "full": 200}
"""How long the runs of a state are, by its name: the first two are NATS-Bench's, the others NAS-Bench-201's."""

SPLITS = {  # data set: what was evaluated, and our name for it
    "cifar10-valid": {"x-valid": "val", "ori-test": "test"},
    "cifar10": {"ori-test": "test"},
    "cifar100": {"x-valid": "val", "x-test": "test", "ori-test": "val+test"},
    "ImageNet16-120": {"x-valid": "val", "x-test": "test", "ori-test": "val+test"},
}

SEED_OF_SIZES = 888
"""Whose sizes to trust: some runs of seeds 777 and 999 recorded another network's (`nats_bench`, version 1.6)."""


def ignored(*_: object) -> None:
    """Progress that nobody follows."""


def read_architecture(states: Mapping[str, Any], source: object) -> tuple[int, list[Trial]]:
    """The published index of an architecture, and its trials.

    Args:
        states: by name; see `EPOCHS`.
        source: for messages.

    Raises:
        NessBenchError: the states are not in the official form, or not of an architecture of the cell space.
    """
    try:
        return _read_architecture(states, source)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise NessBenchError(f"{source} holds an architecture in another form than the official ({reason})") from error


def _read_architecture(states: Mapping[str, Any], source: object) -> tuple[int, list[Trial]]:
    ((index, string),) = {(state["arch_index"], state["arch_str"]) for state in states.values()}
    _refuse_sizes(string, source)
    if set(states) not in ({"12", "200"}, {"less", "full"}):
        raise NessBenchError(
            f"{source}: architecture {index} has runs named {', '.join(map(str, states))}; it should have 12 and "
            "200 or, in files of NAS-Bench-201, less and full"
        )
    if not 0 <= index < len(_strings()) or string != _strings()[index]:
        raise NessBenchError(f"{source}: its architecture {index} is {string}, but the published one is another")
    trials = [
        _trial(index, dataset, seed, EPOCHS[name], result)
        for name, state in states.items()
        for (dataset, seed), result in state["all_results"].items()
    ]
    sizes = {trial.training_set: (trial.parameters, trial.flops) for trial in trials if trial.seed == SEED_OF_SIZES}
    for position, trial in enumerate(trials):
        parameters, flops = sizes.get(trial.training_set, (trial.parameters, trial.flops))
        trials[position] = replace(trial, parameters=parameters, flops=flops)
    return index, trials


def _trial(index: int, dataset: str, seed: int, epochs: int, result: Mapping[str, Any]) -> Trial:
    if result["epochs"] != epochs:
        raise ValueError(f"a run of {result['epochs']} epochs among those of {epochs}")
    accuracy, evaluation_seconds = {}, {}
    for name, split in SPLITS[dataset].items():
        curve = _curve(result["eval_acc1es"], name, epochs)
        if np.isfinite(curve).any():
            only_last = not np.isfinite(curve[:-1]).any()
            accuracy[split] = (curve[-1:] if only_last else curve).astype(np.float32)
        seconds = _curve(result["eval_times"] or {}, name, epochs)
        if np.isfinite(seconds).any():
            evaluation_seconds[split] = float(np.nanmean(seconds))
    times, latencies = result["train_times"], [second for second in result["latency"] or [] if second > 0]
    return Trial(
        index=index,
        training_set=dataset.lower(),
        epochs=epochs,
        seed=int(seed),
        accuracy=accuracy,
        train_seconds=float(sum(times[epoch] for epoch in range(epochs))) if times else np.nan,
        evaluation_seconds=evaluation_seconds,
        latency_seconds=float(np.mean(latencies)) if latencies else np.nan,
        parameters=float(round(1e6 * result["params"])),  # theirs are in millions
        flops=float(round(1e6 * result["flop"])),
    )


def _curve(recorded: Mapping[str, float], name: str, epochs: int) -> npt.NDArray[np.float64]:
    return np.array([recorded.get(f"{name}@{epoch}", np.nan) for epoch in range(epochs)], np.float64)


def read_table(file: IO[bytes], source: object, done: Callable[[], object]) -> list[Trial]:
    """The trials in a pickle of all architectures, which are in memory one at a time.

    Args:
        file: read from where it stands.
        source: for messages.
        done: called after each architecture.

    Raises:
        NessBenchError: it holds another table, or none. For any other error see `pickles.reading`.
    """
    trials: list[Trial] = []

    def take(states: dict[str, Any]) -> int:
        index, of_architecture = read_architecture(states, source)
        trials.extend(of_architecture)
        done()
        return index

    table = load_in_parts(file, _is_architecture, take)
    while file.read(1 << 20):  # to the end, where checksums are compared
        pass
    if not isinstance(table, dict) or not isinstance(table.get("arch2infos"), dict) or not trials:
        raise NessBenchError(f"{source} is no official table: it holds no architectures in arch2infos")
    check_order(table.get("meta_archs"), source)
    for key, index in table["arch2infos"].items():
        if key != index:
            raise NessBenchError(f"{source}: what it holds as architecture {key} is another, or none")
    return trials


def _is_architecture(states: dict[Any, Any]) -> bool:
    first = next(iter(states.values()), None)
    return isinstance(first, dict) and "all_results" in first


def check_order(strings: Any, source: object) -> None:
    """Compare a file's list of architectures with the published one.

    Raises:
        NessBenchError: it is another.
    """
    if strings == _strings():
        return
    if not isinstance(strings, list) or not strings:
        raise NessBenchError(f"{source} is no official table: it has no list of architectures, meta_archs")
    _refuse_sizes(strings[0], source)
    raise NessBenchError(
        f"{source} lists {len(strings):,} architectures, not the {len(architectures()):,} of NAS-Bench-201 in their "
        "published order, so nothing says which number is whose"
    )


@cache
def _strings() -> list[str]:
    return [to_string(architecture) for architecture in architectures()]


def _refuse_sizes(string: Any, source: object) -> None:
    if re.fullmatch(r"\d+(:\d+)+", str(string)):
        raise NessBenchError(
            f"{source} is of NATS-Bench's size space ({string}), which has no cells; give the topology space (NATS-tss)"
        )


def check_number(held: int, partial: bool, source: object) -> None:
    """Refuse some architectures where all are wanted.

    Raises:
        NessBenchError: the table is to be whole, and is not.
    """
    if held < len(architectures()) and not partial:
        raise NessBenchError(
            f"{source} holds {held:,} of {len(architectures()):,} architectures; give --partial to import those alone"
        )


def write_trials(out: Path, trials: Iterable[Trial], source: str, partial: bool) -> None:
    """Write the table that trials make.

    Raises:
        NessBenchError: the folder is in use, a trial comes twice, or the table is to be whole, and is not.
    """
    index, runs, networks = assemble(trials)
    check_number(len(index), partial, source)
    if len(index) < len(architectures()):
        source += f", {len(index):,} of {len(architectures()):,} architectures"
    write_table(out, source, index, runs, networks)
