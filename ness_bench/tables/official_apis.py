"""A table from an object of the official packages, which the reader of the files has made.

The packages are `nats_bench` (`nats_bench.create(path, "tss", fast_mode=True)`) and `nas_201_api`
(`NASBench201API(path)`). Making an object is left to the reader, since it unpickles files without restriction: they can
run any code. `import_nats` and `import_nas_bench_201` read the same files, run nothing of them, and take less memory:
these objects keep every architecture that they are asked for.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ness_bench.errors import NessBenchError
from ness_bench.tables.folder import require_free
from ness_bench.tables.official import check_number, check_order, ignored, read_architecture, write_trials
from ness_bench.tables.trials import Trial


class OfficialApi(Protocol):
    """What both packages' objects have."""

    filename: str | None
    meta_archs: Sequence[str]
    evaluated_indexes: Collection[int]

    def query_meta_info_by_index(self, arch_index: int, hp: str) -> Any: ...


def import_api(
    api: OfficialApi,
    out: Path,
    indices: Iterable[int] | None = None,
    *,
    partial: bool = False,
    begun: Callable[[int], object] = ignored,
    done: Callable[[], object] = ignored,
) -> None:
    """Make a table of what an official object holds.

    Args:
        api: of the package `nats_bench`, for the topology space, or `nas_201_api`.
        out: folder of the table; must not exist yet, or be empty.
        indices: published indices to ask for; all that the object has if none are given, and in fast mode, where
            it does not know what it has, all there are.
        partial: take a table that lacks architectures.
        begun: called with the number of architectures to come.
        done: called after each.

    Raises:
        NessBenchError: the object is of another space or lacks an architecture, or the table is to be whole and
            is not. Nothing is written then.
    """
    require_free(out)
    source = f"{type(api).__name__} of {api.filename or 'a dict'}"
    check_order(list(api.meta_archs), source)
    if indices is None:
        indices = range(len(api.meta_archs)) if getattr(api, "fast_mode", False) else api.evaluated_indexes
    wanted = sorted({int(index) for index in indices})
    check_number(len(wanted), partial, source)
    begun(len(wanted))
    write_trials(out, _trials(api, wanted, source, done), source, partial)


def _trials(api: OfficialApi, indices: list[int], source: str, done: Callable[[], object]) -> Iterator[Trial]:
    for index in indices:
        try:
            states = {hp: api.query_meta_info_by_index(index, hp).state_dict() for hp in ("12", "200")}
        except (AssertionError, ValueError, OSError) as error:
            raise NessBenchError(f"{source} does not have architecture {index} ({error})") from error
        yield from read_architecture(states, source)[1]
        done()
