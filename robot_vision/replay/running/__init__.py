"""Runs frames through the pipeline: `runner` decides which, `feeding` has the helper threads."""
