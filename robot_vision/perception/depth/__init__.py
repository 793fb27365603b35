"""Depth: holes filled, sensor and model fused, baselines."""
