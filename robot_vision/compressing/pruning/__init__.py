"""Pruning: whole channels, which makes a model faster, and single weights, which does not."""
