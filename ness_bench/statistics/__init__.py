"""What can be said of repeated runs: intervals, tests, ranks and profiles, as pure functions on arrays.

Scores of one method in several strata (sizes, budgets, data sets, …) are [strata, repetitions]. Where one score has
to be told from a worse one, scores are losses: the lower the better.
"""
