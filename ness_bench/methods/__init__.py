"""Search methods, one a file. See `method` for how one is written and found."""
