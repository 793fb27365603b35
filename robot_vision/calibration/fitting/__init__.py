"""Fits: closed form, refinement, outliers, files."""
