"""Adapters of vision-language models: a file each that registers itself."""
