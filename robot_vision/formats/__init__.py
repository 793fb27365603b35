"""Formats: what the outputs of models mean, one file each, found without being listed."""
