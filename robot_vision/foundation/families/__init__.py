"""The families of models: one file each, which registers itself."""
