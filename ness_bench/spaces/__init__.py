"""Search spaces: architectures as small immutable values, and what can be said of them without training."""
