"""The families of models: a file each, that registers itself."""
