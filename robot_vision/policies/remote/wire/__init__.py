"""Wire formats: arrays as the protocols encode them, read within limits, never pickle."""
