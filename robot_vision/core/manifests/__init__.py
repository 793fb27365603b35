"""Descriptions of bundles, and what their numbers mean."""
