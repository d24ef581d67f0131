"""Tasks: what a search method may see, and what it pays for it."""
