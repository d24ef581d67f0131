"""Where jobs run. One function an engine: jobs in, results as they complete."""
