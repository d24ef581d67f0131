"""What a study found: tables and figures, made from its records and nothing else."""
