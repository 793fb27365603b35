"""Invariants, each checked from what is seen on topics and processes."""
