"""The plan of the bank that tests share."""

from ness_bench.testing.small_bank import small_plan

__all__ = ["small_plan"]
