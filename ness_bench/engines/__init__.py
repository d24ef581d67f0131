"""Where jobs run. One function, `map`: jobs in, results as they complete."""
