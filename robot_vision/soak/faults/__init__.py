"""The faults of a soak: each is a function that registers itself, found without being listed."""
