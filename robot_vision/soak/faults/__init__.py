"""The faults of a soak: each is a self-registering function; no list is needed."""
