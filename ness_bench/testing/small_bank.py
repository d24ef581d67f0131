"""A bank to test on: some twenty networks, really trained, and supernets of two kinds."""

import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ness_bench import __version__
from ness_bench.banks.bank import Bank, open_bank
from ness_bench.banks.build import build
from ness_bench.banks.plan import BuildPlan
from ness_bench.files import cache_folder
from ness_bench.training.recipe import Recipe


def small_plan(**changes: Any) -> BuildPlan:
    """Seconds to build, and of every kind of content something."""
    plan: dict[str, Any] = {
        "data": "fashion",
        "classes": 20,
        "random_repeated": 4,
        "best_repeated": 3,
        "extra_seeds": 4,
        "recipe": Recipe(epochs=1),
        "channels": 4,
        "cells": 1,
        "train_examples": 480,
        "val_examples": 250,
        "test_examples": 300,
        "uniform_epochs": (1, 2),
        "darts_epochs": 1,
        "supernet_seeds": 2,
    }
    return BuildPlan(**(plan | changes))


@cache
def small_bank() -> Bank:
    """The bank of `small_plan`: built on first use, then opened from the cache folder."""
    plan = small_plan()
    key = hashlib.sha256(f"{__version__} {plan}".encode()).hexdigest()[:16]
    folder = cache_folder() / "testing" / key / "small"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as own:  # where two processes build, the first one stays
            built = Path(own) / folder.name
            build(plan, built, 1, lambda stage, total, done: None, lambda stage: None)
            try:
                built.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return open_bank(folder)
