"""Frozen encoders of sentences for demonstrations: where they come from, and what they made."""
