"""Compares two replays: golden files or summaries, drifts, and the verdict."""
