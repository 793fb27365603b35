"""Adapters of vision-language models; each is a file that registers itself."""
