"""One-shot training: a supernet, whose weights every architecture inherits its own from."""
