"""Imports foreign models as bundles, judged by their files and by trials on pictures."""
