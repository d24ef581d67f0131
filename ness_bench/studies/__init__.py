"""Studies: a plan, its runs, their records, and what the records say."""
