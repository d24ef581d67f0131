import os
import shutil
import subprocess
import sys
import tempfile

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # before numpy: workers share the cores
if "PYTEST_XDIST_WORKER" not in os.environ:  # those inherit it
    os.environ["NESS_BENCH_CACHE"] = tempfile.mkdtemp(prefix="ness-bench-cache-")

from pathlib import Path

import pytest
from hypothesis import settings

from ness_bench.banks.bank import Bank
from ness_bench.testing import small_bank

collect_ignore = ["plugin_example"]  # whose tests need it installed

settings.register_profile("unhurried", deadline=None)  # the first example compiles or fills a cache
settings.load_profile("unhurried")


_COMPILE = """
from dataclasses import replace
from ness_bench.data import fashion_mnist
from ness_bench.networks.skeleton import Skeleton
from ness_bench.spaces.nas_bench_201 import RESNET
from ness_bench.training.fit import fit
from ness_bench.training.recipe import Recipe
data = fashion_mnist.load()
few = replace(data, train=data.train.first(32), val=data.val.first(32), test=data.test.first(32))
fit(RESNET, few, Skeleton(cells=1), Recipe(epochs=1, batch_size=32), 0)
"""


def pytest_configure() -> None:
    """Compile the CPU engine apart: the process that does rounds differently from all that find it on disk."""
    cache = Path(__file__).parents[1] / "ness_bench" / "training" / "cpu" / "__pycache__"
    if "PYTEST_XDIST_WORKER" not in os.environ and not any(cache.glob("*.nbi")):
        subprocess.run([sys.executable, "-c", _COMPILE], check=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Data that is not part of the project: official files and real images, beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        message = f"needs the data in {folder}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def bank() -> Bank:
    """A small bank, really trained: 20 classes, some with 5 seeds, and supernets of both kinds."""
    return small_bank()


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["NESS_BENCH_CACHE"], ignore_errors=True)
