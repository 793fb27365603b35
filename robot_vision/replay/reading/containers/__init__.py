"""Readers of message files: one front-to-back reader per format."""
