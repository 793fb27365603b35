"""Frames go through the pipeline: `runner` decides which, `feeding` has the threads beside it."""
