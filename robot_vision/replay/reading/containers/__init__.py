"""Readers of the files that hold messages: one front-to-back reader a container."""
