from pathlib import Path

import pytest

from ness_bench.engines.named import ENGINES, engine_named
from ness_bench.engines.processes import Processes
from ness_bench.engines.ray_cluster import Ray
from ness_bench.engines.slurm import Slurm
from ness_bench.errors import NessBenchError


def test_what_each_gets():
    folder = Path("study")
    options = {"partition": "long", "cluster": "local"}
    assert [engine_named(name, 4, folder=folder) for name in ENGINES] == [
        Processes(4),
        Ray(None, 4),
        Slurm(folder, 4, {}),
    ]
    assert engine_named("ray", 4, address="auto", gpus=0.5) == Ray("auto", None, 0.5)
    assert engine_named("slurm", 4, slurm=options, folder=folder) == Slurm(folder, 4, {"partition": "long"}, "local")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rai", {}, 'no engine "rai"; did you mean "ray".*processes, ray, slurm'),
        ("processes", {"address": "auto"}, "--address belongs to --engine ray, not to processes"),
        ("slurm", {"gpus": 1.0}, "--gpus belongs to --engine ray, not to slurm"),
        ("ray", {"slurm": {"partition": "long"}}, "--slurm belongs to --engine slurm, not to ray"),
    ],
)
def test_options_of_another_engine_are_refused(name, options, message):
    with pytest.raises(NessBenchError, match=message):
        engine_named(name, 2, **options)
