"""Runs on pictures, and evidence from the results."""
