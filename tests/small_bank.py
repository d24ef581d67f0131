"""The plan of the bank that tests share."""

from typing import Any

from ness_bench.banks.plan import BuildPlan
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
