"""Checks of a meaning against a set's numbers."""
