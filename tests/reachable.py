"""What a task leads to."""

from ness_bench.testing.reachable import reachable

__all__ = ["reachable"]
