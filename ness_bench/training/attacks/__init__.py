"""Adversarial attacks on image classifiers and on ensembles of them: how much accuracy small perturbations leave."""
