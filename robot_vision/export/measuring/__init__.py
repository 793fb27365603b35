"""Measures a bundle on a set as the service runs it; a file per task."""
