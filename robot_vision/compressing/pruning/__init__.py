"""Structured pruning: whole channels, which makes a model faster."""
