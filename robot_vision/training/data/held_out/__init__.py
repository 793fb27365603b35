"""Held-out samples of each task, on which exports are verified and measured."""
