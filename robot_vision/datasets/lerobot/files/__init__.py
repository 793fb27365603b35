"""Parquet, JSON, videos and paths of strangers, read within bounds."""
