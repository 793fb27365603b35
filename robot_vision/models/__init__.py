"""Torch architectures, one per file: each registers its card in `registry.MODELS`."""
