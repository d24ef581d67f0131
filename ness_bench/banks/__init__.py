"""Prediction banks: the stored class probabilities of trained networks, from which any ensemble is scored."""
