"""Untrusted Parquet, JSON, videos and paths, read within bounds."""
