"""A search method and a metric for ness_bench."""
