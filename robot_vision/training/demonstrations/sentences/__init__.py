"""Frozen sentence encoders for demonstrations: their origin and their cached encodings."""
