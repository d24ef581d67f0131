"""The engines by name, as the command line gives them."""

from collections.abc import Mapping
from pathlib import Path

from ness_bench.engines.engine import Engine
from ness_bench.engines.processes import Processes
from ness_bench.errors import NessBenchError, nearest

ENGINES = ("processes", "ray", "slurm")


def engine_named(
    name: str,
    workers: int,
    *,
    address: str | None = None,
    gpus: float = 0.0,
    slurm: Mapping[str, str | int] | None = None,
    folder: Path | None = None,
) -> Engine:
    """An engine; nothing is started before it is given jobs.

    Args:
        name: one of `ENGINES`.
        workers: processes; CPUs of a Ray cluster that is started here; array tasks of SLURM at once.
        address: of a Ray cluster that is there; see `Ray`.
        gpus: that a job takes on a Ray cluster.
        slurm: options of SLURM's tasks, see `Slurm`; `cluster=local` stands for processes on this machine.
        folder: where SLURM's tasks get their jobs and leave their results; all machines see it.

    Raises:
        NessBenchError: there is no such engine, or an option belongs to another one.
    """
    if name not in ENGINES:
        raise NessBenchError(f'there is no engine "{name}"{nearest(name, ENGINES)}; there are: {", ".join(ENGINES)}')
    for option, given, of in (
        ("--address", address is not None, "ray"),
        ("--gpus", gpus != 0, "ray"),
        ("--slurm", bool(slurm), "slurm"),
    ):
        if given and name != of:
            raise NessBenchError(f"{option} belongs to --engine {of}, not to {name}; leave it out, or give that engine")
    if name == "ray":
        from ness_bench.engines.ray_cluster import Ray

        return Ray(address, workers if address is None else None, gpus)
    if name == "slurm":
        from ness_bench.engines.slurm import Slurm

        if folder is None:
            raise NessBenchError("the engine slurm needs a folder that all machines of the cluster see; give one")
        options = dict(slurm or {})
        cluster = options.pop("cluster", None)
        return Slurm(folder, workers, options, None if cluster is None else str(cluster))
    return Processes(workers)
