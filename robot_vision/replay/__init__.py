"""Recordings through the live pipeline, in order and bit for bit the same each time; no ROS.

`reading` (files become frames) → `running` (frames through the pipeline) → `reporting` (figures,
golden files, verdicts) and `writing` (MCAP, tables, pictures); `jobs` join them, for one recording
or many. Each room imports only those before it.
"""
