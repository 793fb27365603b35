"""Exported models and networks."""
