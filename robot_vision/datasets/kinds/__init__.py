"""A file a kind of dataset: how it is recognised, and what opens it. See `open_dataset`."""
