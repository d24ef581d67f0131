"""ness_bench: a benchmark for neural ensemble search, where scoring an ensemble is a lookup."""

__version__ = "0.1.0"
