"""Classifiers, one per file."""
