"""Training: stand-alone members, supernets."""
