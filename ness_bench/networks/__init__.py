"""PyTorch modules, and what they cost to run."""
