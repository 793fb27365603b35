"""The steps of a compression chain: one kind per file, which registers itself."""
