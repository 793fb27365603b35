"""Replays recordings through the live pipeline, in order and bit-for-bit reproducible; without
ROS.

`reading` (files become frames) → `running` (frames through the pipeline) → `reporting` (figures,
golden files, verdicts) and `writing` (MCAP, tables, pictures); `jobs` combine them, for one
recording or many. Each package imports only those before it.
"""
