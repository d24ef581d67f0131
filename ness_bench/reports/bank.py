"""What reports on a prediction bank say of it: its data, and the best ensembles there are."""

from collections.abc import Iterable, Mapping

from ness_bench.banks.bank import Bank
from ness_bench.ensembles.oracle import Optimum, best_ensemble


def best_ensembles(bank: Bank, sizes: Iterable[int]) -> dict[int, Optimum]:
    """By size, the ensemble of lowest test NLL that the bank knows, or a search for it."""
    return {size: bank.optima.get(("test", "nll", size)) or best_ensemble(bank.test, "nll", size) for size in sizes}


def values_of(best: Mapping[int, Optimum]) -> str:
    """The test NLL of the best ensembles by size, and which are proved to be the best, in plain text."""
    return "; ".join(
        f"{optimum.value:.4f} for {size} member{'s' if size > 1 else ''} ({proof(optimum)})"
        for size, optimum in best.items()
    )


def unproved(best: Mapping[int, Optimum]) -> list[str]:
    """A warning, if some of the best ensembles are not proved to be the best."""
    sizes = [str(size) for size, optimum in best.items() if not optimum.proven]
    if not sizes:
        return []
    return [
        f"The best ensembles of {' and '.join(sizes)} members are the best found, not proved to be the best: there may "
        "be better ones, and regret may be larger than shown."
    ]


def proof(optimum: Optimum) -> str:
    return "proved" if optimum.proven else "best found"


def data_of(bank: Bank) -> str:
    """The data set and the sizes of the splits, in plain text."""
    return f"{bank.manifest.data}, {len(bank.val.labels):,} validation and {len(bank.test.labels):,} test images"
