"""What an ensemble is worth and how to pick its members: pure functions on stored class probabilities."""
