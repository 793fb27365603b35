"""Reads a network from outside while it runs: layers, attention, tokens."""
